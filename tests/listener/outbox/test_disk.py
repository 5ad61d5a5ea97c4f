"""A disk without room: what has been done with goes, what waits stays."""

from __future__ import annotations

from pathlib import Path

from listener.outbox.disk import BALLAST_BYTES, ReserveFile
from listener.outbox.store import Store
from tests.listener.outbox.parts import open_store
from tests.rigs.full_disk import fill, small_disk
from tests.rigs.mosquitto import wait_until

PAYLOAD = {"text": "x" * 2000}


def put(store: Store, count: int) -> None:
    for _ in range(count):
        store.put("farm/hall/event", PAYLOAD)


def test_what_has_been_done_with_makes_room_for_what_waits(tmp_path: Path):
    with small_disk(tmp_path / "disk", megabytes=8) as disk:
        opened = open_store(disk / "outbox.db")
        store = opened.store
        for _ in range(20):
            put(store, 25)
            for row in store.first("waiting", 0, 25):
                store.settle(row, "done")
            assert store.save()
        fill(disk)
        for _ in range(20):  # two megabytes on disk: more than the ballast's room
            put(store, 25)
            wait_until(store.save, 10.0, "messages on disk")  # it tries again once a second
        assert len(store.first("waiting", 0, 1000)) == 500
        assert store.first("done", 0, 10) == []
        opened.disk.close()


def test_it_takes_real_room_once_and_makes_room_once(tmp_path: Path):
    path = tmp_path / "outbox.db.ballast"
    ballast = ReserveFile(path)
    ballast.take()
    ballast.take()
    assert path.stat().st_size == BALLAST_BYTES
    assert path.stat().st_blocks * 512 >= BALLAST_BYTES
    assert ballast.throw_off()
    assert not path.exists()
    assert not ballast.throw_off()


def test_where_it_cannot_be_there_is_none(tmp_path: Path):
    ballast = ReserveFile(tmp_path / "missing" / "outbox.db.ballast")
    ballast.take()
    assert not ballast.throw_off()


def test_in_memory_there_is_none():
    ballast = ReserveFile(None)
    ballast.take()
    assert not ballast.throw_off()
