"""A megabyte that is there to be thrown off."""

from __future__ import annotations

from pathlib import Path

from listener.outbox.ballast import BALLAST_BYTES, Ballast


def test_it_takes_real_room_once_and_makes_room_once(tmp_path: Path):
    path = tmp_path / "outbox.db.ballast"
    ballast = Ballast(path)
    ballast.take()
    ballast.take()
    assert path.stat().st_size == BALLAST_BYTES
    assert path.stat().st_blocks * 512 >= BALLAST_BYTES
    assert ballast.throw_off()
    assert not path.exists()
    assert not ballast.throw_off()


def test_where_it_cannot_be_there_is_none(tmp_path: Path):
    ballast = Ballast(tmp_path / "missing" / "outbox.db.ballast")
    ballast.take()
    assert not ballast.throw_off()


def test_in_memory_there_is_none():
    ballast = Ballast(None)
    ballast.take()
    assert not ballast.throw_off()
