"""Events in a real file: a line each, begun anew by day and by size, whatever the disk does."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from listener.config.outputs import EventFileSettings
from listener.health import Health
from listener.sinks.event_document import EventDocuments
from listener.sinks.event_file import EventFileSink
from listener.sinks.sink import EventNotice
from tests.listener.sinks.notices import end_of, start_of

NAMES = {"smoke_alarm": "Smoke alarm"}
START = EventNotice(start_of(), 0.0)


class Desk:
    """A sink on a file, and its clock."""

    def __init__(self, path: Path, **settings: object) -> None:
        self.now = datetime.now(UTC)
        self.health = Health((), "test@1")
        made = EventFileSettings.model_validate({"path": path, **settings})
        self.sink = EventFileSink(
            made, EventDocuments("farm", NAMES), self.health, lambda: self.now
        )

    def write(self, count: int = 1) -> None:
        for _ in range(count):
            self.now += timedelta(milliseconds=1)
            self.sink.handle(START)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_event_is_a_line_that_only_the_owner_may_read(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    desk = Desk(path)
    desk.sink.handle(START)
    desk.sink.handle(EventNotice(end_of(), 0.0))
    documents = [json.loads(line) for line in lines(path)]  # before it is closed
    assert [document["phase"] for document in documents] == ["start", "end"]
    assert path.stat().st_mode & 0o777 == 0o600
    desk.sink.close()


def test_a_station_that_starts_again_goes_on_in_the_file(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        desk = Desk(path)
        desk.write()
        desk.sink.close()
    assert len(lines(path)) == 2


def test_a_line_that_was_torn_is_ended_so_that_the_next_one_is_whole(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"torn": ')
    desk = Desk(path)
    desk.write()
    desk.sink.close()
    torn, whole = lines(path)
    assert (torn, json.loads(whole)["phase"]) == ('{"torn": ', "start")


def test_a_new_day_begins_a_new_file_and_an_old_one_is_of_its_day(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    desk = Desk(path)
    desk.write(2)
    desk.now += timedelta(days=1)
    desk.write()
    desk.sink.close()
    assert len(names(tmp_path)) == 2
    assert len(lines(path)) == 1
    yesterday = desk.now.timestamp() - 2 * 86_400
    os.utime(path, (yesterday, yesterday))
    again = Desk(path)
    again.write()
    again.sink.close()
    assert len(names(tmp_path)) == 3


def test_size_and_number_are_bounded(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    bystander = tmp_path / "events-notes.jsonl"
    bystander.write_text("not ours")
    size = len(lines_of_one(tmp_path))
    desk = Desk(path, max_megabytes=2.5 * size / 1e6, keep_files=2)
    desk.write(11)
    desk.sink.close()
    aside = [tmp_path / name for name in names(tmp_path) if name not in (path.name, bystander.name)]
    assert [len(lines(file)) for file in aside] == [2, 2]
    assert len(lines(path)) == 1
    assert bystander.read_text() == "not ours"


def lines_of_one(folder: Path) -> bytes:
    path = folder / "one"
    desk = Desk(path)
    desk.write()
    desk.sink.close()
    content = path.read_bytes()
    path.unlink()
    return content


def test_a_directory_that_is_away_loses_events_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "away" / "events.jsonl"
    desk = Desk(path)
    with caplog.at_level(logging.INFO):
        desk.write(3)
        path.parent.mkdir()
        desk.write(2)
    desk.sink.close()
    assert desk.health.sink_failures == {"event_file": 3}
    assert len(lines(path)) == 2
    assert caplog.messages == [
        f"{path}: events are not written: No such file or directory",
        f"{path}: events are written again",
    ]


FULL = """
import resource, signal
from pathlib import Path
from tests.listener.sinks.test_event_file import Desk
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
desk = Desk(Path("{path}"))
desk.write()
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
desk.write(2)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
desk.write()
desk.sink.close()
print(desk.health.sink_failures)
"""


def test_a_disk_that_is_full_in_the_middle_of_a_line_spoils_no_other(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    size = len(lines_of_one(tmp_path))
    code = FULL.format(path=path, limit=size + size // 2)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{'event_file': 2}\n", done.stderr
    first, torn, last = lines(path)
    assert json.loads(first)["phase"] == json.loads(last)["phase"] == "start"
    assert len(torn) == size // 2
