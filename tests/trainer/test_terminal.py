"""Native lines are held back unless something unexpected happens; bars and tables go to stderr."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from tests.shared import ROOT
from trainer.terminal import clips_bar, show_table

START = "import os, sys; from trainer.terminal import quiet_stderr\n"


def run(body: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", START + body]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_native_lines_are_dropped_and_our_own_are_kept():
    result = run(
        "with quiet_stderr(()):\n"
        "    os.write(2, b'native\\n'); print('ours', file=sys.stderr); print('stray')\n"
        "os.write(2, b'after\\n'); print('for the machine')"
    )
    assert result.returncode == 0
    assert result.stderr == "ours\nstray\nafter\n"
    assert result.stdout == "for the machine\n"


def test_an_expected_error_drops_native_lines():
    result = run(
        "try:\n"
        "    with quiet_stderr((ValueError,)):\n"
        "        os.write(2, b'native\\n'); raise ValueError\n"
        "except ValueError: print('caught', file=sys.stderr)"
    )
    assert result.stderr == "caught\n"


def test_an_unexpected_error_shows_native_lines_before_its_traceback():
    result = run(
        "with quiet_stderr((ValueError,)):\n    os.write(2, b'native\\n'); raise KeyError('odd')"
    )
    assert result.returncode == 1
    assert result.stderr.startswith("native\nTraceback")
    assert "KeyError: 'odd'" in result.stderr


def test_a_crash_in_native_code_still_says_where():
    result = run("with quiet_stderr(()):\n    os.abort()")
    assert result.returncode == -6
    assert "Fatal Python error: Aborted" in result.stderr


def test_a_pass_over_clips_is_one_line_in_a_pipe(caplog: pytest.LogCaptureFixture, capsys):
    with caplog.at_level(logging.INFO, "trainer"), clips_bar() as begin:
        progress = begin("embedding, clips")
        progress(1, 2)
    assert caplog.messages == ["embedding, clips"]
    assert capsys.readouterr() == ("", "")


def test_a_table_goes_to_stderr(capsys: pytest.CaptureFixture[str]):
    show_table(("what", "figure"), [("accuracy", "88.9 %")])
    printed = capsys.readouterr()
    assert printed.out == ""
    rows = [" ".join(line.split()) for line in printed.err.splitlines()]
    assert "what figure" in rows
    assert "accuracy 88.9 %" in rows
