"""The command line: help with examples, the version, wrong arguments."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener import __version__
from listener.cli import run_command

COMMANDS = ["run", "replay", "check", "devices", "watch", "demo"]


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """The commands set up the root logger; restore it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]):
    assert run_command(["--help"]) == 0
    output = capsys.readouterr().out
    assert [command for command in COMMANDS if f" {command} " not in output] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_shows_an_example(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "200")
    assert run_command([command, "--help"]) == 0
    assert re.search(rf"Example: .*listener {command}", capsys.readouterr().out)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]):
    assert run_command(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run", "--colour"], "No such option: --colour"),
        (["sing"], "No such command 'sing'."),
        (["replay"], "Missing argument 'files'."),
        (["watch", "here"], "Got unexpected extra argument"),
        (["run", "--config", "/nowhere.toml"], "/nowhere.toml: cannot read the config: "),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
):
    assert run_command(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith(f"listener: {line}")
    assert errors.count("\n") == 1


def test_no_command_prints_the_help_and_exits_2(capsys: pytest.CaptureFixture[str]):
    assert run_command([]) == 2
    output, errors = capsys.readouterr()
    assert "replay" in output
    assert errors == "listener: expected a command\n"


def test_the_installed_program_is_the_same():
    program = Path(sys.executable).with_name("listener")
    if not program.exists():
        pytest.skip("the package is not installed beside this Python")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{__version__}\n"
