"""On a full disk finished messages are deleted and waiting ones stay; the reserve file makes room."""

from __future__ import annotations

from pathlib import Path

from listener.outbox.disk import RESERVE_BYTES, ReserveFile
from listener.outbox.store import Store
from tests.listener.outbox.doubles import open_store
from tests.rigs.full_disk import fill, small_disk
from tests.rigs.mosquitto import wait_until

PAYLOAD = {"text": "x" * 2000}


def put(store: Store, count: int) -> None:
    for _ in range(count):
        store.put("farm/hall/event", PAYLOAD)


def test_finished_messages_make_room_for_waiting_ones(tmp_path: Path):
    with small_disk(tmp_path / "disk", megabytes=8) as disk:
        opened = open_store(disk / "outbox.db")
        store = opened.store
        for _ in range(20):
            put(store, 25)
            for row in store.first("waiting", 0, 25):
                store.settle(row, "done")
            assert store.save()
        fill(disk)
        for _ in range(20):  # two megabytes on disk: more than the reserve's room
            put(store, 25)
            wait_until(store.save, 10.0, "messages on disk")  # it tries again once a second
        assert len(store.first("waiting", 0, 1000)) == 500
        assert store.first("done", 0, 10) == []
        opened.disk.close()


def test_a_reserve_file_takes_real_room_and_gives_it_back_once(tmp_path: Path):
    path = tmp_path / "outbox.db.ballast"
    reserve = ReserveFile(path)
    reserve.create()
    reserve.create()
    assert path.stat().st_size == RESERVE_BYTES
    assert path.stat().st_blocks * 512 >= RESERVE_BYTES
    assert reserve.release()
    assert not path.exists()
    assert not reserve.release()


def test_without_a_directory_there_is_no_reserve_file(tmp_path: Path):
    reserve = ReserveFile(tmp_path / "missing" / "outbox.db.ballast")
    reserve.create()
    assert not reserve.release()


def test_in_memory_there_is_no_reserve_file():
    reserve = ReserveFile(None)
    reserve.create()
    assert not reserve.release()
