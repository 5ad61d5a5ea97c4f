"""A real program runs for each event, bounded in number and time."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

import pytest

from listener.config.outputs import HookSettings
from listener.health import Health
from listener.sinks.event_document import EventDocuments
from listener.sinks.hook import ChildEnd, HookSink, run_child
from listener.sinks.sink import EventNotice
from tests.listener.sinks.notices import end_of, start_of
from tests.rigs.mosquitto import wait_until

NAMES = {"smoke_alarm": "Smoke alarm"}


def sink_of(*program: str, **settings: object) -> tuple[HookSink, Health]:
    health = Health((), "test@1")
    made = HookSettings.model_validate({"program": program, **settings})
    return HookSink(made, EventDocuments("farm", NAMES), health), health


def test_the_program_reads_each_event_in_order(tmp_path: Path):
    sink, health = sink_of("/bin/sh", "-c", f"cat >> {tmp_path}/seen")
    for event in (start_of(), end_of()):
        sink.handle(EventNotice(event, 0.0))
    seen = tmp_path / "seen"
    wait_until(lambda: seen.exists() and seen.read_text().count("\n") == 2, 40, "two lines")
    documents = [json.loads(line) for line in seen.read_text().splitlines()]
    assert [document["phase"] for document in documents] == ["start", "end"]
    assert documents[0]["label_name"] == "Smoke alarm"
    sink.close()
    assert health.sink_failures == {"hook": 0}


def test_failures_are_counted_and_logged_with_the_programs_output(
    caplog: pytest.LogCaptureFixture,
):
    for program, logged in {
        ("/bin/sh", "-c", "echo no good; exit 7"): "/bin/sh: exited with 7: no good",
        ("/no/such/program",): "/no/such/program: cannot be started: No such file or directory",
        ("/bin/sleep", "600"): "/bin/sleep: killed after 0.2 s: ",
    }.items():
        sink, health = sink_of(*program, timeout_seconds=0.2 if "600" in program else 30.0)
        with caplog.at_level(logging.WARNING):
            sink.handle(EventNotice(start_of(), 0.0))
            wait_until(lambda health=health: health.sink_failures["hook"] == 1, 40, logged)  # type: ignore[misc]
            wait_until(lambda logged=logged: f"hook: {logged}" in caplog.messages, 20, logged)  # type: ignore[misc]
        sink.close()


def test_an_unexpected_error_ends_no_thread(caplog: pytest.LogCaptureFixture):
    """A zero byte, which the settings would refuse, is no OSError."""
    sink, health = sink_of("/bin/sh", "-c", "true")
    sink._settings = sink._settings.model_copy(update={"program": ("/bin/sh\0",)})
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            sink.handle(EventNotice(start_of(), 0.0))
        wait_until(lambda: health.faults["hook-0"] == 2, 20, "both were tried")
    sink.close()
    assert caplog.text.count("ValueError: embedded null byte") == 1


def test_events_that_come_while_too_many_wait_are_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    gate = tmp_path / "gate"
    code = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    program = (sys.executable, "-c", f"{code}\nopen({str(tmp_path / 'runs')!r}, 'a').write('x')")
    sink, health = sink_of(*program, max_waiting_events=3, timeout_seconds=60.0)
    sink.handle(EventNotice(start_of(), 0.0))
    wait_until(sink._waiting.empty, 20, "the first one runs")
    with caplog.at_level(logging.WARNING):
        for _ in range(8):
            sink.handle(EventNotice(start_of(), 0.0))  # and does not block
    assert health.sink_failures == {"hook": 5}
    assert caplog.messages == ["hook: too many events wait, the newest are dropped"]
    gate.touch()
    runs = tmp_path / "runs"
    wait_until(lambda: runs.exists() and runs.read_text() == "xxxx", 40, "four runs")
    sink.close()


def test_no_more_programs_run_at_once_than_allowed(tmp_path: Path):
    code = (
        "import os, sys, time\n"
        f"folder = {str(tmp_path)!r}\n"
        "mine = os.path.join(folder, str(os.getpid()))\n"
        "open(mine, 'w').close()\n"
        "time.sleep(0.1)\n"
        "os.unlink(mine)\n"
        "raise SystemExit(0 if len(os.listdir(folder)) < 2 else 1)\n"
    )
    sink, health = sink_of(sys.executable, "-c", code, parallel=2, timeout_seconds=60.0)
    for _ in range(6):
        sink.handle(EventNotice(start_of(), 0.0))
    wait_until(lambda: sink._waiting.empty() and not any(tmp_path.iterdir()), 40, "all ran")
    sink.close()
    assert health.sink_failures == {"hook": 0}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_program_reads_the_text_and_its_output_becomes_one_line():
    code = "import sys; print(sys.stdin.read().upper(), flush=True); print('\\x1b[2Jbad', file=sys.stderr)"
    assert run_child(python(code), b"text\n", 30) == ChildEnd(0, "TEXT [2Jbad")


def test_the_exit_code_is_given_whether_or_not_the_program_reads():
    assert run_child(python("raise SystemExit(3)"), b"x" * 60_000, 30) == ChildEnd(3, "")


def test_no_shell_expands_the_arguments():
    assert run_child(["/bin/echo", "$HOME; ls", "*"], b"", 30) == ChildEnd(0, "$HOME; ls *")


def test_much_output_neither_fills_memory_nor_blocks_the_program():
    code = "import sys; sys.stdout.write('a' * 3_000_000); raise SystemExit(4)"
    end = run_child(python(code), b"", 30)
    assert (end.code, len(end.output)) == (4, 4096)


def test_a_program_is_killed_for_its_time_with_everything_it_started(tmp_path: Path):
    ids = tmp_path / "ids"
    code = (
        "import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(ids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "print('begun', flush=True)\n"
        "time.sleep(600)\n"
    )
    assert run_child(python(code), b"", 3) == ChildEnd(None, "begun")
    own, grandchild = map(int, ids.read_text().split())
    assert not is_running(own)
    wait_until(lambda: not is_running(grandchild), 20, "the grandchild is gone")


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # there may be no parent to reap it


def test_a_program_gets_none_of_the_stations_secrets(monkeypatch: pytest.MonkeyPatch):
    for name in ("NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "EARSHOT_SECRET"):
        monkeypatch.setenv(name, "x")
    output = run_child(python("import os; print(sorted(os.environ))"), b"", 30).output
    assert "PATH" in output
    assert not {"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "EARSHOT_SECRET"} & set(output.split("'"))


def test_a_missing_program_is_an_error():
    with pytest.raises(FileNotFoundError):
        run_child(["/no/such/program"], b"", 1)


def test_a_program_inherits_no_open_file(tmp_path: Path):
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        output = run_child(["/bin/ls", "-l", "/proc/self/fd"], b"", 30).output
        assert str(tmp_path) not in output
