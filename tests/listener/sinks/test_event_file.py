"""Events in a real file: one line each, rotated by day and by size, whatever the disk does."""

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


class FileRig:
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
    rig = FileRig(path)
    rig.sink.handle(START)
    rig.sink.handle(EventNotice(end_of(), 0.0))
    documents = [json.loads(line) for line in lines(path)]  # before it is closed
    assert [document["phase"] for document in documents] == ["start", "end"]
    assert path.stat().st_mode & 0o777 == 0o600
    rig.sink.close()


def test_after_a_restart_the_station_appends_to_the_file(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        rig = FileRig(path)
        rig.write()
        rig.sink.close()
    assert len(lines(path)) == 2


def test_a_torn_line_is_ended_so_that_the_next_one_is_whole(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"torn": ')
    rig = FileRig(path)
    rig.write()
    rig.sink.close()
    torn, whole = lines(path)
    assert (torn, json.loads(whole)["phase"]) == ('{"torn": ', "start")


def test_the_first_event_of_a_day_starts_a_new_file_also_after_a_restart(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    rig = FileRig(path)
    rig.write(2)
    rig.now += timedelta(days=1)
    rig.write()
    rig.sink.close()
    assert len(names(tmp_path)) == 2
    assert len(lines(path)) == 1
    yesterday = rig.now.timestamp() - 2 * 86_400
    os.utime(path, (yesterday, yesterday))
    again = FileRig(path)
    again.write()
    again.sink.close()
    assert len(names(tmp_path)) == 3


def test_the_size_and_number_of_files_are_bounded(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    bystander = tmp_path / "events-notes.jsonl"
    bystander.write_text("not ours")
    size = len(lines_of_one(tmp_path))
    rig = FileRig(path, max_megabytes=2.5 * size / 1e6, keep_files=2)
    rig.write(11)
    rig.sink.close()
    rotated = [
        tmp_path / name for name in names(tmp_path) if name not in (path.name, bystander.name)
    ]
    assert [len(lines(file)) for file in rotated] == [2, 2]
    assert len(lines(path)) == 1
    assert bystander.read_text() == "not ours"


def lines_of_one(folder: Path) -> bytes:
    path = folder / "one"
    rig = FileRig(path)
    rig.write()
    rig.sink.close()
    content = path.read_bytes()
    path.unlink()
    return content


def test_without_its_directory_events_are_lost_counted_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "away" / "events.jsonl"
    rig = FileRig(path)
    with caplog.at_level(logging.INFO):
        rig.write(3)
        path.parent.mkdir()
        rig.write(2)
    rig.sink.close()
    assert rig.health.sink_failures == {"event_file": 3}
    assert len(lines(path)) == 2
    assert caplog.messages == [
        f"{path}: events are not written: No such file or directory",
        f"{path}: events are written again",
    ]


FULL = """
import resource, signal
from pathlib import Path
from tests.listener.sinks.test_event_file import FileRig
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
rig = FileRig(Path("{path}"))
rig.write()
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
rig.write(2)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
rig.write()
rig.sink.close()
print(rig.health.sink_failures)
"""


def test_a_disk_that_fills_up_within_a_line_damages_no_other_line(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    size = len(lines_of_one(tmp_path))
    code = FULL.format(path=path, limit=size + size // 2)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{'event_file': 2}\n", done.stderr
    first, torn, last = lines(path)
    assert json.loads(first)["phase"] == json.loads(last)["phase"] == "start"
    assert len(torn) == size // 2
