"""`listener demo`: its picture, line by line, and the real thing in a real terminal."""

import io
import os
import re
import subprocess
from collections.abc import Iterator

import pytest
from rich.console import Console

from listener.commands.demo_screen import (
    DemoProgress,
    HeardEvent,
    demo_picture,
    first_match,
    make_demo_scene,
    not_heard,
    plain_table,
)
from listener.commands.watch_screen import SourceView
from tests.listener.commands.program import own_lines
from tests.rigs.station import LISTENER
from tests.rigs.terminal import COLOUR, TerminalProgram, in_terminal

SCENE = make_demo_scene(["smoke_alarm", "siren"])  # 3 to 9 s, 12 to 17 s
LABELS = ("smoke_alarm", "reversing_beeper", "appliance_beep")
HEARD = HeardEvent("one", "smoke_alarm", 2.75, 8.75, 0.96)
LASTING = HeardEvent("two", "siren", 12.25, None, 0.5)


def progress() -> DemoProgress:
    """At 14 s of 28: the smoke alarm is over, the siren lasts."""
    made = DemoProgress(SCENE, level_dbfs=-40.0)
    for now, score in ((0.0, 0.0), (3.5, 1.0), (10.5, 0.0)):
        made.now = now
        made.add_view(SourceView(level_dbfs=-40.0, scores={"smoke_alarm": score}))
    made.now = 14.0
    made.add_event(HEARD)
    made.add_event(LASTING)
    return made


def rendered(content: object, width: int, **options: object) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, _environ={}, **options)  # type: ignore[arg-type]
    console.print(content)
    return file.getvalue().splitlines()


def test_truth_score_and_event_are_over_the_same_axis():
    # 100 columns leave 51 cells of 28/51 s, so the alarm is played in cells 5 to 15
    lines = rendered(demo_picture(progress(), 100), 100)
    alarm = next(at for at, line in enumerate(lines) if line.startswith("smoke_alarm"))
    start = len("smoke_alarm") + 2
    assert lines[alarm][start : start + 51] == " " * 5 + "━" * 11 + " " * 35
    assert lines[alarm].split()[2:] == ["3.0", "to", "9.0", "2.8", "to", "8.8", "0.96"]
    # read at 0, 3.5 and 10.5 s: cells 0, 6 and 19; 14 s is cell 25
    assert lines[alarm + 1].strip() == "▁" * 6 + "█" * 13 + "▁" * 7


def test_an_event_that_lasts_has_no_end_yet():
    siren = next(
        line for line in rendered(demo_picture(progress(), 100), 100) if line.startswith("siren")
    )
    assert siren.split()[2:] == ["12.0", "to", "17.0", "12.2", "to", "...", "0.50"]


def test_what_is_played_and_not_yet_heard_says_so():
    waiting = DemoProgress(SCENE, now=5.0)
    lines = rendered(demo_picture(waiting, 100), 100)
    assert [line.split()[0] for line in lines if "playing" in line] == ["smoke_alarm"]


@pytest.mark.parametrize("width", [60, 48])
def test_a_narrow_terminal_leaves_the_timelines_out_and_nothing_else(width: int):
    lines = rendered(demo_picture(progress(), width), width)
    assert max(map(len, lines)) <= width
    assert "━" not in "".join(lines)
    alarm = next(line for line in lines if line.startswith("smoke_alarm"))
    assert alarm.split()[1:] == ["3.0", "to", "9.0", "2.8", "to", "8.8", "0.96"]


def test_no_color_removes_the_colours():
    coloured, plain = (
        "\n".join(
            rendered(
                demo_picture(progress(), 100),
                100,
                force_terminal=True,
                color_system="standard",
                no_color=no_color,
            )
        )
        for no_color in (False, True)
    )
    assert COLOUR.search(coloured)
    assert not COLOUR.search(plain)
    assert "━━━" in plain


def test_the_plain_table_has_the_same_numbers():
    lines = rendered(plain_table(progress()), 80)
    assert "played, s" in lines[2]
    alarm = next(line for line in lines if "smoke_alarm" in line)
    assert re.findall(r"[\d.]+", alarm) == ["3.0", "9.0", "2.8", "8.8", "0.96"]


def test_an_event_is_a_sound_only_if_they_overlap_for_a_second():
    smoke_alarm, siren = SCENE.truth
    assert HEARD.matches(smoke_alarm)
    assert not HEARD.matches(siren)
    assert not HeardEvent("late", "smoke_alarm", 8.5, 12.0, 0.9).matches(smoke_alarm)
    assert first_match(siren, [HEARD, LASTING]) == LASTING


def test_a_sound_is_heard_when_its_event_has_ended():
    assert not_heard(SCENE, [HEARD, LASTING]) == ["siren"]
    assert not_heard(SCENE, [HEARD, HeardEvent("two", "siren", 12.25, 17.0, 0.5)]) == []


@pytest.fixture(scope="module")
def demos() -> Iterator[tuple[TerminalProgram, subprocess.CompletedProcess[str]]]:
    """The real demo in a terminal, and at the same time one whose output goes to a pipe."""
    command = [*LISTENER, "demo"]
    with (
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as piped,
        in_terminal(*command, columns=100) as program,
    ):
        program.read_to_end(120)
        output, errors = piped.communicate(timeout=60)
        done = subprocess.CompletedProcess(command, piped.returncode, output, errors)
        yield program, done


def test_in_a_terminal_the_real_demo_draws_what_it_hears_and_ends_well(demos):
    program, _ = demos
    assert program.process.returncode == 0, program.text[-3000:]
    last = program.text[program.text.rindex("0 to 28 s") :]
    for label in LABELS:
        assert re.search(rf"{label} .*\d to .*\d to +\d+\.\d +[01]\.\d\d", last), last
    assert "█" in last
    assert "every sound was heard" in last
    assert COLOUR.search(program.raw)


def test_without_a_terminal_the_real_demo_prints_one_table_in_the_end(demos):
    _, done = demos
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    lines = own_lines(done.stderr)
    assert re.fullmatch(
        r"3 sounds in 28 s, played in real time; metrics: http://127\.0\.0\.1:\d+/metrics",
        lines[0],
    )
    rows = [re.findall(r"[\w.]+", line) for line in lines if "│" in line]
    assert [row[0] for row in rows] == list(LABELS)
    assert all(
        len(row) == len(["label", "3.0", "to", "9.0", "2.6", "to", "8.9", "1.00"]) for row in rows
    )
    assert lines[-1] == "every sound was heard"
    assert "\x1b" not in done.stderr


def test_a_bundle_that_knows_no_sound_of_the_demo_is_one_line(tmp_path):
    done = subprocess.run(
        [*LISTENER, "demo", "--bundle", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("listener: ")
