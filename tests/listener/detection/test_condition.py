"""Conditions by arithmetic: half a second a step, silent after 2 s, clipping after 1 s."""

from __future__ import annotations

from itertools import groupby

import pytest

from listener.detection.condition import ConditionLimits, ConditionMeter

LIMITS = ConditionLimits(silent_after_seconds=2.0, clipping_after_seconds=1.0)
LEVELS = {"s": (-120.0, 0.0), "q": (-89.0, 0.0), ".": (-40.0, 0.005), "#": (-3.0, 0.02)}


def conditions(programme: str, limits: ConditionLimits = LIMITS) -> list[str]:
    """Silent, quiet, usual and clipped half seconds -> the condition after each, s, c or o."""
    meter = ConditionMeter(limits)
    return [meter.push(0.5, *LEVELS[sign])[0] for sign in programme]


@pytest.mark.parametrize(
    ("programme", "expected"),
    [
        ("....qqqqqqqq", "oooooooooooo"),  # a quiet room is not silent
        ("ssss", "ooos"),
        ("sss.sss.ssss", "ooooooooooos"),  # in a row
        ("ssss.ssss", "ooosoooos"),  # the first sound ends it
        ("##", "oc"),
        ("#.#.#.#.", "oooooooo"),  # no more than half of the time
        ("##.#.#..", "occcccco"),
        ("##..", "occo"),
        ("##.#", "occc"),
        ("##ssss", "occoos"),
        ("########..", "occcccccco"),  # however long it lasted
    ],
)
def test_conditions_by_arithmetic(programme: str, expected: str) -> None:
    assert "".join(conditions(programme)) == expected


def test_one_loud_bang_is_no_clipping() -> None:
    assert set(conditions("....#....#....")) == {"o"}


@pytest.mark.parametrize("programme", ["s.", "sss.", "#.", "##.."])
def test_it_does_not_flap(programme: str) -> None:
    """Each change takes as long as its limit at least, whatever the sound does."""
    runs = [len(list(run)) for _, run in groupby(conditions(programme * 50))]
    assert all(run * 0.5 >= 1.0 for run in runs[1:-1])


def test_silence_can_be_turned_off() -> None:
    never = ConditionLimits(silent_below_dbfs=-120.0, silent_after_seconds=2.0)
    assert set(conditions("s" * 100, never)) == {"o"}


def test_the_reason_is_one_line() -> None:
    assert LIMITS.describe("silent") == "nothing over -90 dBFS for 2 s"
    assert LIMITS.describe("clipping") == "often 1 % of the samples and more are at full scale"
    assert LIMITS.describe("online") is None
