"""Hours that are quiet, by the clock on the wall."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.changes.at_work import AtWork
from listener.changes.quiet import quiet_hours
from listener.changes.rules import MuteRule, Rules
from listener.config.outlets import QuietSettings
from listener.pipeline.plan import Detection
from tests.listener.changes.test_bundle_switch import Pipeline, detection

NIGHT = {"begin": "22:00", "end": "06:30", "timezone": "UTC", "all_but": ()}


def covers(at: str, **changes: Any) -> bool:
    """Whether it is quiet then; 2026-11-20 is a Friday."""
    (hours,) = quiet_hours([QuietSettings.model_validate(NIGHT | changes)])
    return hours.covers(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("at", "quiet"),
    [
        ("2026-11-20T21:59:59", False),
        ("2026-11-20T22:00:00", True),
        ("2026-11-21T00:00:00", True),
        ("2026-11-21T06:29:59", True),
        ("2026-11-21T06:30:00", False),
    ],
)
def test_a_night_goes_over_midnight(at: str, *, quiet: bool):
    assert covers(at) == quiet


def test_hours_of_a_day():
    noon = {"begin": "12:00", "end": "14:00"}
    assert [covers(f"2026-11-20T{at}:00", **noon) for at in ("11:59", "12:00", "13:59", "14:00")] == [
        False, True, True, False,
    ]  # fmt: skip


def test_a_day_is_the_one_on_which_it_begins():
    friday = {"days": ("fri",)}
    assert covers("2026-11-20T23:00", **friday)
    assert covers("2026-11-21T05:00", **friday)  # Saturday morning is still Friday's night
    assert not covers("2026-11-20T05:00", **friday)
    assert not covers("2026-11-21T23:00", **friday)


def test_the_clock_is_that_of_the_zone_in_summer_and_in_winter():
    berlin = {"timezone": "Europe/Berlin"}
    assert not covers("2026-07-01T19:59", **berlin)
    assert covers("2026-07-01T20:00", **berlin)  # two hours ahead
    assert not covers("2026-12-01T20:59", **berlin)
    assert covers("2026-12-01T21:00", **berlin)  # one


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 2_000_000_000))
def test_what_is_not_quiet_is_what_is_between_the_other_way_round(begin: int, end: int, now: int):
    if begin == end:
        return
    times = [f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (begin, end)]
    there = QuietSettings(begin=times[0], end=times[1], timezone="Europe/Berlin", all_but=())
    back = QuietSettings(begin=times[1], end=times[0], timezone="Europe/Berlin", all_but=())
    one, other = quiet_hours([there, back])
    assert one.covers(now) != other.covers(now)
    minute = datetime.fromtimestamp(now, ZoneInfo("Europe/Berlin"))
    at = minute.hour * 60 + minute.minute
    assert one.covers(now) == ((at - begin) % 1440 < (end - begin) % 1440)


@pytest.mark.parametrize(
    ("changes", "muted"),
    [
        ({"all_but": ()}, {("hall", "dog"), ("hall", "alarm"), ("barn", "dog"), ("barn", "alarm")}),
        ({"all_but": ("alarm",)}, {("hall", "dog"), ("barn", "dog")}),
        ({"all_but": None, "labels": ("dog",), "sources": ("barn",)}, {("barn", "dog")}),
    ],
)
def test_labels_or_all_but_labels_of_some_sources(
    changes: dict[str, Any], muted: set[tuple[str, str]]
):
    (hours,) = quiet_hours([QuietSettings.model_validate(NIGHT | changes)])
    every = [(source, label) for source in ("hall", "barn") for label in ("dog", "alarm")]
    assert {pair for pair in every if hours.mutes(*pair)} == muted


def muted(detection: Detection) -> set[str]:
    return set(detection.plan.policies_of("hall").muted)


def test_they_come_and_go_by_the_clock_beside_what_people_muted():
    now = datetime(2026, 11, 20, 21, 59, tzinfo=UTC).timestamp()
    clock, pipeline = [now], Pipeline()
    hours = quiet_hours([QuietSettings.model_validate(NIGHT | {"all_but": ("loud",)})])
    rules = Rules(mutes=(MuteRule("hall", "loud", now + 120),))
    work = AtWork(pipeline, detection(1), rules, ["hall"], lambda: clock[0], hours)
    (quiet_label,) = {*work.labels} - {"loud"}
    assert muted(pipeline.adopted[-1]) == {"loud"}
    work.look()
    assert len(pipeline.adopted) == 1  # nothing has changed
    clock[0] += 60
    work.look()
    assert muted(pipeline.adopted[-1]) == {"loud", quiet_label}
    clock[0] += 60
    work.look()
    assert muted(pipeline.adopted[-1]) == {quiet_label}
    clock[0] += 9 * 3600
    work.look()
    assert muted(pipeline.adopted[-1]) == set()


def test_a_station_that_starts_at_night_is_quiet():
    night = datetime(2026, 11, 20, 23, tzinfo=UTC).timestamp()
    pipeline = Pipeline()
    AtWork(
        pipeline,
        detection(1),
        Rules(),
        ["hall"],
        lambda: night,
        quiet_hours([QuietSettings.model_validate(NIGHT)]),
    )
    assert muted(pipeline.adopted[0]) == set(detection(1).plan.policies)
