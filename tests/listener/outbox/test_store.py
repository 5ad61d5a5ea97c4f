"""Messages keep their order and their seq over restarts, bounds and broken files."""

from __future__ import annotations

import json
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from listener.health import OutboxHealth
from listener.outbox.disk import Disk, OutboxError
from listener.outbox.row import Row
from listener.outbox.store import Bounds, Store
from tests.listener.outbox.doubles import Opener, documents, seqs
from tests.rigs.mosquitto import wait_until
from tests.rigs.outbox_station import EVENT_TOPIC, ONSET, TOPICS, event


def test_seq_grows_by_one_and_is_in_the_json(open_store: Opener):
    opened = open_store(None)
    opened.put(0, 1, 2)
    rows = opened.waiting()
    assert seqs(rows) == [1, 2, 3]
    assert [document["seq"] for document in documents(rows)] == [1, 2, 3]
    assert {row.topic for row in rows} == {EVENT_TOPIC}


def test_what_was_saved_is_there_after_a_crash_and_what_was_not_is_not(
    open_store: Opener, tmp_path: Path
):
    opened = open_store(tmp_path / "outbox.db")
    opened.put(0, 1)
    assert opened.store.save()
    opened.put(2, 3)
    opened.crash()
    again = open_store(tmp_path / "outbox.db")
    assert seqs(again.waiting()) == [1, 2]
    assert again.store.waiting == 2


def test_no_seq_is_used_twice_also_when_nothing_is_left(open_store: Opener, tmp_path: Path):
    opened = open_store(tmp_path / "outbox.db", Bounds(keep_days=1e-9))
    opened.put(0, 1)
    for row in opened.waiting():
        opened.store.settle(row, "done")
    opened.store.save()
    opened.store.delete_old()
    opened.crash()
    again = open_store(tmp_path / "outbox.db")
    again.put(2)
    assert seqs(again.waiting()) == [3]


@pytest.mark.parametrize(("settled", "left"), [(True, 0), (False, 2)])
def test_by_a_clock_that_is_not_settled_nothing_is_too_old(
    tmp_path: Path, settled: bool, left: int
):
    disk = Disk(tmp_path / "outbox.db", OutboxHealth())
    clock = time.time if settled else None  # None: a clock that has not run for an hour
    store = Store(disk, Bounds(keep_days=1e-9), "farm", TOPICS.gap, OutboxHealth(), clock)
    for number in range(2):
        store.put(EVENT_TOPIC, event(number))
    for row in store.first("waiting", 0, 10):
        store.settle(row, "done")
    store.save()
    store.delete_old()
    assert store.replay(1, 10) == left
    disk.close()


def test_only_the_owner_may_read_it(open_store: Opener, tmp_path: Path):
    folder = tmp_path / "state"
    opened = open_store(folder / "outbox.db")
    opened.put(0)
    opened.store.save()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"outbox.db": 0o600, "outbox.db-wal": 0o600, "outbox.db.ballast": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_second_daemon_is_refused(open_store: Opener, tmp_path: Path):
    first = open_store(tmp_path / "outbox.db")
    with pytest.raises(OutboxError, match=r"outbox.path: another process uses .*outbox.db"):
        open_store(tmp_path / "outbox.db")
    first.disk.close()


def test_above_the_bound_the_oldest_are_dropped_and_one_message_stands_for_them(open_store: Opener):
    opened = open_store(None, Bounds(max_events=5))
    for number in range(9):
        opened.put(number)
        opened.store.drop_excess(after=0)
        opened.store.save()
    rows = opened.waiting()
    assert seqs(rows) == [5, 6, 7, 8, 9]
    gap, *others = documents(rows)
    assert rows[0].topic == TOPICS.gap
    announced = {key: gap[key] for key in ("seq", "from_seq", "to_seq", "count", "reason")}
    assert announced == {"seq": 5, "from_seq": 1, "to_seq": 5, "count": 5, "reason": "outbox_full"}
    assert [document["seq"] for document in others] == [6, 7, 8, 9]
    assert opened.health.dropped == 5
    assert opened.store.waiting == 5


def test_what_is_in_flight_is_not_dropped(open_store: Opener):
    opened = open_store(None, Bounds(max_events=5))
    opened.put(*range(9))
    opened.store.drop_excess(after=3)
    rows = opened.waiting()
    assert seqs(rows) == [1, 2, 3, 8, 9]
    gap = documents(rows)[3]
    assert (gap["from_seq"], gap["to_seq"], gap["count"]) == (4, 8, 5)


def test_finished_messages_are_kept_for_days_and_up_to_the_bound(
    open_store: Opener, tmp_path: Path
):
    opened = open_store(tmp_path / "outbox.db", Bounds(max_events=3, keep_days=7.0))
    opened.put(*range(5))
    for row in opened.waiting():
        opened.store.settle(row, "done")
    opened.store.save()
    opened.store.delete_old()
    assert opened.store.replay(1, 100) == 3
    assert seqs(opened.store.first("again", 0, 10)) == [3, 4, 5]
    assert opened.store.waiting == 0


def test_an_event_left_open_is_ended_with_the_last_known_moment(open_store: Opener, tmp_path: Path):
    opened = open_store(tmp_path / "outbox.db")
    opened.put(0, 2, 3)  # event 0 starts; event 1 starts and ends
    for until in (ONSET + 0.3, ONSET + 4.0, ONSET + 4.5):  # the last one comes within a second
        opened.store.note_analysed("hall", until)
    opened.store.note_analysed("barn", ONSET + 100.0)  # nothing is open there
    opened.store.save()
    opened.crash()
    again = open_store(tmp_path / "outbox.db")
    again.put(4)
    *_, end, new = documents(again.waiting())
    assert (end["id"], end["phase"], end["reason"]) == (event(0)["id"], "end", "restart")
    assert (end["offset"], end["duration_seconds"]) == ("2026-11-20T03:12:11.440Z", 4.0)
    assert (end["seq"], new["seq"]) == (4, 5)
    again.store.save()
    again.crash()
    ends = [
        d for d in documents(open_store(tmp_path / "outbox.db").waiting()) if d["id"] == end["id"]
    ]
    assert len(ends) == 2  # its start and its one end; only event 2 is ended now


def test_an_event_of_which_only_the_start_is_known_has_no_duration(
    open_store: Opener, tmp_path: Path
):
    opened = open_store(tmp_path / "outbox.db")
    opened.put(0)
    opened.store.save()
    opened.crash()
    end = documents(open_store(tmp_path / "outbox.db").waiting())[-1]
    assert (end["offset"], end["duration_seconds"]) == (end["onset"], 0.0)


@pytest.mark.parametrize(
    "content", [b"no database at all" * 500, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_broken_file_is_set_aside_and_seq_continues_above_it(
    open_store: Opener, tmp_path: Path, content: bytes
):
    path = tmp_path / "outbox.db"
    path.write_bytes(content)
    opened = open_store(path)
    opened.put(0)
    gap, first = opened.waiting()
    assert (opened.health.set_aside, opened.health.failing) == (1, None)
    (aside,) = tmp_path.glob("outbox.db.corrupt-*")
    assert aside.read_bytes() == content
    assert first.seq > time.time() * 1000 - 60_000
    document = json.loads(gap.payload)
    assert (document["to_seq"], document["count"]) == (gap.seq - 1, None)
    assert (document["reason"], first.seq) == ("outbox_corrupt", gap.seq + 1)
    assert opened.store.save()


def test_a_file_that_broke_after_it_was_used_is_replaced(open_store: Opener, tmp_path: Path):
    path = tmp_path / "outbox.db"
    opened = open_store(path)
    opened.put(*range(200))
    opened.store.save()
    opened.crash()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    again = open_store(path)
    assert again.health.set_aside == 1
    again.put(200)
    assert again.waiting()[0].topic == TOPICS.gap
    assert again.waiting()[-1].seq > 200


def test_a_file_without_tables_is_closed_again(open_store: Opener, tmp_path: Path):
    path = tmp_path / "outbox.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 1")
    opened = open_store(path)
    assert opened.health.failing == "no such table: sqlite_sequence"
    with closing(sqlite3.connect(path, timeout=0.0)) as other:
        other.execute("BEGIN EXCLUSIVE")  # nobody holds it


def test_while_the_disk_takes_nothing_messages_stay_in_memory_and_are_sent(
    open_store: Opener, tmp_path: Path
):
    folder = tmp_path / "state"
    folder.write_text("a file where the folder should be")
    opened = open_store(folder / "outbox.db")
    assert opened.health.failing is not None
    opened.put(0, 1)
    assert not opened.store.save()
    assert opened.health.unsaved == 2
    first = opened.waiting()[0]
    opened.store.settle(first, "done")
    assert seqs(opened.waiting()) == [first.seq + 1]
    folder.unlink()
    opened.disk._try_at = 0.0  # a second later
    assert opened.store.save()
    assert opened.health.unsaved == 0
    assert seqs(opened.waiting()) == [first.seq + 1]


def test_a_topic_that_no_broker_takes_is_a_dead_letter_at_once(open_store: Opener):
    opened = open_store(None)
    for topic in ("", "a/+/b", "a/#", "a\0b", "a\nb", "\ud800", "x" * 65_536):
        opened.store.put(topic, {"id": "x"})
    assert opened.waiting() == []
    assert (opened.health.dead, opened.store.waiting) == (7, 0)
    assert opened.store.save()


def test_a_disk_that_had_nothing_is_not_asked_again_before_something_is_put(
    open_store: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    opened = open_store(tmp_path / "outbox.db")
    assert opened.disk.database is not None
    asked = []
    oldest = opened.disk.database.oldest

    def counted(*arguments: Any) -> list[Row]:
        asked.append(arguments)
        return oldest(*arguments)

    monkeypatch.setattr(opened.disk.database, "oldest", counted)
    for _ in range(3):
        assert opened.store.first("waiting", 0, 10) == opened.store.first("again", 0, 10) == []
    assert [state for state, _, _ in asked] == ["waiting", "again"]
    opened.put(0)
    opened.store.save()
    assert seqs(opened.store.first("waiting", 0, 10)) == [1]
    opened.store.settle(opened.store.first("waiting", 0, 10)[0], "done")
    assert opened.store.replay(1, 1) == 1
    assert seqs(opened.store.first("again", 0, 10)) == [1]


def test_messages_on_a_disk_that_comes_back_are_found(open_store: Opener, tmp_path: Path):
    state = tmp_path / "state"
    before = open_store(state / "outbox.db")
    before.put(0, 1)
    before.store.save()
    before.crash()
    state.rename(tmp_path / "away")
    state.write_text("a file where the folder should be")
    opened = open_store(state / "outbox.db")
    assert opened.store.first("waiting", 0, 10) == []
    state.unlink()
    (tmp_path / "away").rename(state)
    opened.put(2)
    wait_until(opened.store.save, 10.0, "the disk")
    assert seqs(opened.store.first("waiting", 0, 10))[:2] == [1, 2]
    opened.crash()
