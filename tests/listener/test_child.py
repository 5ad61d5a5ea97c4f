"""A real program is run: it gets its text, and no more than its time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from listener.child import ChildEnd, run_child
from tests.rigs.mosquitto import wait_until


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_it_reads_the_text_and_what_it_says_is_one_line():
    code = "import sys; print(sys.stdin.read().upper(), flush=True); print('\\x1b[2Jbad', file=sys.stderr)"
    assert run_child(python(code), b"text\n", 30) == ChildEnd(0, "TEXT [2Jbad")


def test_its_exit_code_counts_whether_or_not_it_reads():
    assert run_child(python("raise SystemExit(3)"), b"x" * 60_000, 30) == ChildEnd(3, "")


def test_no_shell_looks_at_arguments():
    assert run_child(["/bin/echo", "$HOME; ls", "*"], b"", 30) == ChildEnd(0, "$HOME; ls *")


def test_much_output_neither_fills_memory_nor_stops_it():
    code = "import sys; sys.stdout.write('a' * 3_000_000); raise SystemExit(4)"
    end = run_child(python(code), b"", 30)
    assert (end.code, len(end.output)) == (4, 4096)


def test_it_is_killed_for_its_time_with_what_it_has_started(tmp_path: Path):
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
    return state != "Z"  # nobody may be there to reap it


def test_it_gets_nothing_of_the_stations_secrets(monkeypatch: pytest.MonkeyPatch):
    for name in ("NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "EARSHOT_SECRET"):
        monkeypatch.setenv(name, "x")
    output = run_child(python("import os; print(sorted(os.environ))"), b"", 30).output
    assert "PATH" in output
    assert not {"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "EARSHOT_SECRET"} & set(output.split("'"))


def test_a_program_that_is_not_there():
    with pytest.raises(FileNotFoundError):
        run_child(["/no/such/program"], b"", 1)


def test_no_file_of_the_station_is_open_in_it(tmp_path: Path):
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        output = run_child(["/bin/ls", "-l", "/proc/self/fd"], b"", 30).output
        assert str(tmp_path) not in output
