"""Events are printed on stdout, for people or as JSON lines."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from listener.config.station import ConsoleSettings
from listener.sinks.console import ConsoleSink, text_line
from listener.sinks.event_document import event_document
from listener.sinks.sink import BundleNotice, Level, SourceStatus
from tests.listener.sinks.notices import end_of, manifest, notice, start_of

NAMES = {"smoke_alarm": "Smoke alarm"}

# Prints events into a pipe that nobody reads, then reports on stderr that it got to its end.
PRINTS_INTO_NOTHING = """
import logging, sys
from listener.config.station import ConsoleSettings
from listener.sinks.console import ConsoleSink
from tests.listener.sinks.notices import notice, start_of
logging.basicConfig()
sys.stdin.readline()
sink = ConsoleSink(ConsoleSettings(), "farm", {"smoke_alarm": "Smoke alarm"})
for _ in range(3):
    sink.handle(notice(start_of()))
sink.close()
print("still here", file=sys.stderr)
"""


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("utc")
def test_a_line_of_text_has_time_source_label_and_duration() -> None:
    assert text_line(start_of(), "Smoke alarm") == (
        "2026-11-20 03:12:07.440  hall  Smoke alarm  start  peak 0.50"
    )
    assert text_line(end_of(), "Smoke alarm") == (
        "2026-11-20 03:12:31.020  hall  Smoke alarm  end  23.58 s  peak 0.97  (source_lost)"
    )


def test_jsonl_is_the_event_document_on_one_line() -> None:
    stream = io.StringIO()
    sink = ConsoleSink(ConsoleSettings(format="jsonl"), "farm", NAMES, stream)
    sink.handle(notice(start_of()))
    sink.handle(notice(end_of()))
    documents = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert documents == [
        event_document(event, "farm", "Smoke alarm", None) for event in (start_of(), end_of())
    ]


def test_only_events_are_printed() -> None:
    stream = io.StringIO()
    sink = ConsoleSink(ConsoleSettings(), "farm", NAMES, stream)
    sink.handle(Level("hall", -40.0, -20.0, 0.0))
    sink.handle(SourceStatus("hall", "online", 0.0))
    assert stream.getvalue() == ""


def test_the_names_of_another_bundle_are_used() -> None:
    stream = io.StringIO()
    sink = ConsoleSink(ConsoleSettings(), "farm", {}, stream)
    sink.handle(BundleNotice(manifest(), ("smoke_alarm",), 0.0))
    sink.handle(notice(start_of()))
    assert "Smoke alarm" in stream.getvalue()


def test_a_closed_pipe_is_logged_once_and_the_process_goes_on() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PRINTS_INTO_NOTHING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, errors = process.communicate("go\n", timeout=30)
    assert errors.splitlines() == [
        "WARNING:listener.sinks.console:console: events are no longer printed: Broken pipe",
        "still here",
    ]
    assert process.returncode == 0


def test_a_process_without_stdout_prints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    sink = ConsoleSink(ConsoleSettings(), "farm", NAMES)
    sink.handle(notice(start_of()))
