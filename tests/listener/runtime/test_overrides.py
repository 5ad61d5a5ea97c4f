"""Rules of people over the policies of a bundle."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from listener.config.outputs import QuietSettings
from listener.detection.policy import LabelPolicy
from listener.pipeline.plan import Detection, DetectionPlan
from listener.runtime.active import ActivePlan
from listener.runtime.overrides import (
    MuteOverride,
    Overrides,
    ThresholdOverride,
    apply_overrides,
    quiet_hours,
    read_overrides,
    write_overrides,
)
from tests.listener.pipeline.stages import make_plan
from tests.listener.runtime.test_hot_swap import Pipeline, detection

POLICY = LabelPolicy(on_threshold=0.5, off_threshold=0.3)


def plan() -> DetectionPlan:
    return make_plan(POLICY)


def thresholds(rules: Overrides, source: str, label: str = "loud") -> tuple[float, float]:
    policy = apply_overrides(plan(), rules, ["hall", "barn"]).policies_of(source).policies[label]
    return policy.on_threshold, policy.off_threshold


def muted(rules: Overrides, source: str) -> set[str]:
    return set(apply_overrides(plan(), rules, ["hall", "barn"]).policies_of(source).muted)


@pytest.mark.parametrize(
    ("on", "off", "expected"),
    [
        (0.7, None, (0.7, 0.3)),
        (0.2, None, (0.2, 0.2)),  # off moves as far as it must
        (None, 0.1, (0.5, 0.1)),
        (None, 0.6, (0.6, 0.6)),
        (0.9, 0.8, (0.9, 0.8)),
    ],
)
def test_thresholds_are_always_a_policy(
    on: float | None, off: float | None, expected: tuple[float, float]
):
    rules = Overrides().with_threshold(ThresholdOverride(None, "loud", on, off))
    assert thresholds(rules, "hall") == thresholds(rules, "barn") == expected
    assert thresholds(rules, "hall", "quiet") == (0.5, 0.3)


def test_off_over_on_is_refused():
    with pytest.raises(ValidationError, match=r"expected off <= on, got 0\.4 and 0\.2"):
        ThresholdOverride(None, "loud", 0.2, 0.4)


@pytest.mark.parametrize("own_first", [True, False])
def test_the_threshold_of_a_source_counts_more_than_that_for_all(own_first: bool):
    own, for_all = ThresholdOverride("hall", "loud", 0.9), ThresholdOverride(None, "loud", 0.7)
    rules = Overrides((own, for_all) if own_first else (for_all, own))
    assert (thresholds(rules, "hall")[0], thresholds(rules, "barn")[0]) == (0.9, 0.7)


def test_a_rule_replaces_the_one_of_the_same_words_and_an_empty_one_ends_it():
    rules = Overrides().with_threshold(ThresholdOverride("hall", "loud", 0.9))
    rules = rules.with_threshold(ThresholdOverride("hall", "loud", 0.8))
    assert [rule.on for rule in rules.thresholds] == [0.8]
    assert rules.with_threshold(ThresholdOverride("hall", "loud")) == Overrides()


@pytest.mark.parametrize(
    ("source", "label", "hall", "barn"),
    [
        (None, None, {"loud", "quiet"}, {"loud", "quiet"}),
        ("hall", None, {"loud", "quiet"}, set()),
        (None, "loud", {"loud"}, {"loud"}),
        ("barn", "quiet", set(), {"quiet"}),
    ],
)
def test_a_mute_is_about_what_it_names(
    source: str | None, label: str | None, hall: set[str], barn: set[str]
):
    rules = Overrides().with_mute(MuteOverride(source, label, 100.0))
    assert (muted(rules, "hall"), muted(rules, "barn")) == (hall, barn)


def test_a_mute_ends_with_its_time():
    rules = Overrides(mutes=(MuteOverride(None, "loud", 100.0), MuteOverride(None, "quiet", 200.0)))
    assert rules.at(99.9) is rules
    assert rules.at(100.0).mutes == rules.mutes[1:]
    assert rules.at(200.0) == Overrides()


def test_an_unmute_ends_those_that_name_it():
    mutes = tuple(MuteOverride(s, k, 9.0) for s in (None, "hall") for k in (None, "loud"))
    rules = Overrides(mutes=mutes)
    assert rules.without_mutes("hall", "loud").mutes == mutes[:3]
    assert rules.without_mutes("hall", None).mutes == mutes[:2]
    assert rules.without_mutes(None, None) == Overrides()


def test_a_label_that_the_bundle_has_not_is_passed_over():
    rules = Overrides((ThresholdOverride(None, "gone", 0.9),), (MuteOverride(None, "gone", 9.0),))
    assert thresholds(rules, "hall") == (0.5, 0.3)
    assert muted(rules, "hall") == set()


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


def muted_quiet(detection: Detection) -> set[str]:
    return set(detection.plan.policies_of("hall").muted)


def test_they_come_and_go_by_the_clock_beside_what_people_muted():
    now = datetime(2026, 11, 20, 21, 59, tzinfo=UTC).timestamp()
    clock, pipeline = [now], Pipeline()
    hours = quiet_hours([QuietSettings.model_validate(NIGHT | {"all_but": ("loud",)})])
    rules = Overrides(mutes=(MuteOverride("hall", "loud", now + 120),))
    work = ActivePlan(pipeline, detection(1), rules, ["hall"], lambda: clock[0], hours)
    (quiet_label,) = {*work.labels} - {"loud"}
    assert muted_quiet(pipeline.adopted[-1]) == {"loud"}
    work.look()
    assert len(pipeline.adopted) == 1  # nothing has changed
    clock[0] += 60
    work.look()
    assert muted_quiet(pipeline.adopted[-1]) == {"loud", quiet_label}
    clock[0] += 60
    work.look()
    assert muted_quiet(pipeline.adopted[-1]) == {quiet_label}
    clock[0] += 9 * 3600
    work.look()
    assert muted_quiet(pipeline.adopted[-1]) == set()


def test_a_station_that_starts_at_night_is_quiet():
    night = datetime(2026, 11, 20, 23, tzinfo=UTC).timestamp()
    pipeline = Pipeline()
    ActivePlan(
        pipeline,
        detection(1),
        Overrides(),
        ["hall"],
        lambda: night,
        quiet_hours([QuietSettings.model_validate(NIGHT)]),
    )
    assert muted_quiet(pipeline.adopted[0]) == set(detection(1).plan.policies)


RULES = Overrides(
    (ThresholdOverride("hall", "loud", 0.9, 0.5),), (MuteOverride(None, "quiet", 1e9),)
)


def test_what_was_written_is_read_by_its_owner_alone(tmp_path: Path):
    path = tmp_path / "state.json"
    write_overrides(path, Overrides())
    write_overrides(path, RULES)
    assert read_overrides(path) == RULES
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


def test_no_file_is_no_rules(tmp_path: Path):
    assert read_overrides(tmp_path / "none") == Overrides()


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b'{"mutes": 3}', b'{"thresholds": [{"source": "../x"}]}']
)
def test_what_is_no_rules_is_put_aside_and_told_of(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "state.json"
    path.write_bytes(content)
    assert read_overrides(path) == Overrides()
    assert "put aside" in caplog.text
    assert (tmp_path / "state.json.corrupt").read_bytes() == content
    assert not path.exists()


def test_a_file_that_cannot_be_read_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    assert read_overrides(tmp_path) == Overrides()  # a directory
    assert "cannot be read: Is a directory" in caplog.text


def test_a_disk_that_fails_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "state.json"
    write_overrides(path, RULES)
    (tmp_path / "state.json.partial").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_overrides(path, Overrides())
    assert read_overrides(path) == RULES
