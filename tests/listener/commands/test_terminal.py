"""Levels and scores as characters."""

import io

import pytest
from rich.console import Console

from listener.commands.terminal import can_draw, level_bar, sparkline


@pytest.mark.parametrize(
    ("level_dbfs", "filled"), [(0.0, 8), (-10.0, 7), (-40.0, 4), (-80.0, 0), (-120.0, 0), (3.0, 8)]
)
def test_a_bar_goes_from_minus_80_dbfs_to_full_scale(level_dbfs: float, filled: int):
    assert level_bar(level_dbfs, 8).plain == "█" * filled + "·" * (8 - filled)


def test_a_sparkline_has_a_character_for_each_score():
    assert sparkline([0.0, 0.124, 0.125, 0.5, 0.999, 1.0, None, 0.25]) == "▁▁▂▅██ ▃"


class _Latin(io.StringIO):
    encoding = "latin-1"


@pytest.mark.parametrize(
    ("console", "can"),
    [
        (Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "xterm"}), True),
        (Console(file=io.StringIO(), _environ={"TERM": "xterm"}), False),
        (Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}), False),
        (Console(file=_Latin(), force_terminal=True, _environ={"TERM": "xterm"}), False),
    ],
    ids=["terminal", "file", "dumb", "latin-1"],
)
def test_only_a_terminal_that_moves_its_cursor_and_knows_unicode_can_draw(
    console: Console, can: bool
):
    assert can_draw(console) is can
