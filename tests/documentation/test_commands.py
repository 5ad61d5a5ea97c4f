"""What the pages show in a shell is run; what cannot be run here is at least a command that there is."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

import listener.cli
import trainer.cli
from listener.soundscape.sounds import appliance_beep, smoke_alarm
from tests.documentation.pages import PAGES, Block, blocks, commands_of
from tests.documentation.recordings import write_recording
from tests.shared import ROOT

SHELL = blocks("sh")
RUN_PAGES = [page for page in PAGES if any(b.page == page and not b.reason for b in SHELL)]
APPS = {"listener": listener.cli.app, "trainer": trainer.cli.app}
CALLS = [(block, call) for block in SHELL for call in commands_of(block)]
PACKAGES = {"promtool": "prometheus", "openssl": "openssl"}
# what changes more than the folder it is run in
GOES_TOO_FAR = re.compile(r"\b(sudo|apt|systemctl|rm|pip|git|curl)\s|\s/(etc|opt|var|usr)\b")
IN_A_CHECKOUT = ("listener", "config.example.toml", "monitoring", "mosquitto", "systemd")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder as a reader has it: the checkout's own, the programs, and a recording of their machine."""
    for name in IN_A_CHECKOUT:
        (tmp_path / name).symlink_to(ROOT / name)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, module in (("python", ""), ("listener", "-m listener"), ("trainer", "-m trainer")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
        (programs / name).chmod(0o755)
    write_recording(tmp_path / "beeps.wav", appliance_beep)
    write_recording(tmp_path / "alarm.flac", smoke_alarm)
    return tmp_path


def run(block: Block, desk: Path) -> str:
    """Run a block as a shell would; what it prints."""
    assert not GOES_TOO_FAR.search(block.text), f"{block}: say above it why it is not run here"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=desk,
        env={
            **os.environ,
            "PATH": f"{desk}/.venv/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: page.name)
def test_what_a_page_shows_can_be_done(page: Path, desk: Path):
    for block in SHELL:
        if block.page == page and block.reason is None:
            skip_where_programs_are_missing(block)
            run(block, desk)


def skip_where_programs_are_missing(block: Block) -> None:
    for program, package in PACKAGES.items():
        if program in block.text and shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: {package})")


def test_a_block_that_fails_is_seen(desk: Path):
    wrong = Block(ROOT / "README.md", 1, "sh", "listener replay none.wav | cat\n", None)
    with pytest.raises(AssertionError, match=r"README.md:1: .*expected a bundle"):
        run(wrong, desk)


def test_a_block_that_would_change_the_machine_is_not_run(desk: Path):
    wrong = Block(ROOT / "README.md", 1, "sh", "touch here\nsudo touch there\n", None)
    with pytest.raises(AssertionError, match="say above it"):
        run(wrong, desk)
    assert not (desk / "here").exists()


@pytest.mark.parametrize("call", [call for _, call in CALLS], ids=[str(at) for at, _ in CALLS])
def test_every_command_line_is_one_that_the_program_takes(call: Sequence[str]):
    command, arguments = typer.main.get_command(APPS[call[0]]), list(call[1:])
    while hasattr(command, "resolve_command"):
        context = command.make_context(call[0], arguments)
        _, command, arguments = command.resolve_command(context, arguments)
    command.make_context(call[0], arguments)


def test_there_are_command_lines_of_both_programs_and_an_unknown_option_is_seen():
    assert {call[0] for _, call in CALLS} == set(APPS)
    wrong = Block(ROOT / "README.md", 1, "sh", "listener watch --colour\n", None)
    with pytest.raises(typer.TyperException, match="colour"):
        test_every_command_line_is_one_that_the_program_takes(*commands_of(wrong))


def test_a_block_that_is_not_run_says_why_and_the_test_that_it_names_is_there():
    reasons = [(str(block), block.reason) for block in SHELL if block.reason]
    assert reasons
    for at, reason in reasons:
        named = re.findall(r"tests/\S+\.py", reason)
        assert len(reason) > 10, at
        assert [path for path in named if not (ROOT / path).exists()] == [], at
