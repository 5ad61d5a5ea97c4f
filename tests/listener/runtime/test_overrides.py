"""Overrides change the policies of a bundle; quiet hours mute by the clock."""

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
from listener.pipeline.plan import Detection, SourcePolicies
from listener.runtime.active import ActivePlan
from listener.runtime.overrides import MuteOverride, Overrides, QuietHours, ThresholdOverride
from tests.listener.pipeline.stages import make_plan
from tests.listener.runtime.test_hot_swap import Pipeline, detection

POLICY = LabelPolicy(on_threshold=0.5, off_threshold=0.3)


def policies(overrides: Overrides, source: str) -> SourcePolicies:
    return overrides.applied_to(make_plan(POLICY), ["hall", "barn"]).policies_of(source)


def thresholds(overrides: Overrides, source: str, label: str = "loud") -> tuple[float, float]:
    policy = policies(overrides, source).policies[label]
    return policy.on_threshold, policy.off_threshold


def muted(overrides: Overrides, source: str) -> set[str]:
    return set(policies(overrides, source).muted)


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
def test_one_threshold_moves_the_other_as_far_as_it_must(
    on: float | None, off: float | None, expected: tuple[float, float]
):
    overrides = Overrides().with_threshold(ThresholdOverride(None, "loud", on, off))
    assert thresholds(overrides, "hall") == thresholds(overrides, "barn") == expected
    assert thresholds(overrides, "hall", "quiet") == (0.5, 0.3)


def test_off_over_on_is_refused():
    with pytest.raises(ValidationError, match=r"expected off <= on, got 0\.4 and 0\.2"):
        ThresholdOverride(None, "loud", 0.2, 0.4)


@pytest.mark.parametrize("own_first", [True, False])
def test_the_threshold_of_a_source_outranks_the_one_for_all(own_first: bool):
    own, for_all = ThresholdOverride("hall", "loud", 0.9), ThresholdOverride(None, "loud", 0.7)
    overrides = Overrides((own, for_all) if own_first else (for_all, own))
    assert (thresholds(overrides, "hall")[0], thresholds(overrides, "barn")[0]) == (0.9, 0.7)


def test_a_threshold_replaces_the_one_of_its_source_and_label_and_an_empty_one_removes_it():
    overrides = Overrides().with_threshold(ThresholdOverride("hall", "loud", 0.9))
    overrides = overrides.with_threshold(ThresholdOverride("hall", "loud", 0.8))
    assert [threshold.on for threshold in overrides.thresholds] == [0.8]
    assert overrides.with_threshold(ThresholdOverride("hall", "loud")) == Overrides()


@pytest.mark.parametrize(
    ("source", "label", "hall", "barn"),
    [
        (None, None, {"loud", "quiet"}, {"loud", "quiet"}),
        ("hall", None, {"loud", "quiet"}, set()),
        (None, "loud", {"loud"}, {"loud"}),
        ("barn", "quiet", set(), {"quiet"}),
    ],
)
def test_a_mute_covers_its_source_and_label(
    source: str | None, label: str | None, hall: set[str], barn: set[str]
):
    overrides = Overrides().with_mute(MuteOverride(source, label, 100.0))
    assert (muted(overrides, "hall"), muted(overrides, "barn")) == (hall, barn)


def test_a_mute_ends_with_its_time():
    overrides = Overrides(
        mutes=(MuteOverride(None, "loud", 100.0), MuteOverride(None, "quiet", 200.0))
    )
    assert overrides.at(99.9) is overrides
    assert overrides.at(100.0).mutes == overrides.mutes[1:]
    assert overrides.at(200.0) == Overrides()


def test_an_unmute_ends_the_mutes_of_its_source_and_label():
    mutes = tuple(MuteOverride(s, k, 9.0) for s in (None, "hall") for k in (None, "loud"))
    overrides = Overrides(mutes=mutes)
    assert overrides.without_mutes("hall", "loud").mutes == mutes[:3]
    assert overrides.without_mutes("hall", None).mutes == mutes[:2]
    assert overrides.without_mutes(None, None) == Overrides()


def test_an_unknown_label_is_ignored():
    overrides = Overrides(
        (ThresholdOverride(None, "gone", 0.9),), (MuteOverride(None, "gone", 9.0),)
    )
    assert thresholds(overrides, "hall") == (0.5, 0.3)
    assert muted(overrides, "hall") == set()


NIGHT = {"begin": "22:00", "end": "06:30", "timezone": "UTC", "all_but": ()}


def covers(at: str, **changes: Any) -> bool:
    """Whether it is quiet then; 2026-11-20 is a Friday."""
    hours = QuietHours.of(QuietSettings.model_validate(NIGHT | changes))
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
def test_a_night_spans_midnight(at: str, *, quiet: bool):
    assert covers(at) == quiet


def test_hours_within_a_day():
    noon = {"begin": "12:00", "end": "14:00"}
    assert [covers(f"2026-11-20T{at}:00", **noon) for at in ("11:59", "12:00", "13:59", "14:00")] == [
        False, True, True, False,
    ]  # fmt: skip


def test_days_are_those_on_which_it_begins():
    friday = {"days": ("fri",)}
    assert covers("2026-11-20T23:00", **friday)
    assert covers("2026-11-21T05:00", **friday)  # Saturday morning is still Friday's night
    assert not covers("2026-11-20T05:00", **friday)
    assert not covers("2026-11-21T23:00", **friday)


def test_times_are_local_in_summer_and_in_winter():
    berlin = {"timezone": "Europe/Berlin"}
    assert not covers("2026-07-01T19:59", **berlin)
    assert covers("2026-07-01T20:00", **berlin)  # two hours ahead
    assert not covers("2026-12-01T20:59", **berlin)
    assert covers("2026-12-01T21:00", **berlin)  # one


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 2_000_000_000))
def test_begin_and_end_swapped_cover_the_rest_of_the_day(begin: int, end: int, now: int):
    if begin == end:
        return
    times = [f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (begin, end)]
    there = QuietSettings(begin=times[0], end=times[1], timezone="Europe/Berlin", all_but=())
    back = QuietSettings(begin=times[1], end=times[0], timezone="Europe/Berlin", all_but=())
    one, other = QuietHours.of(there), QuietHours.of(back)
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
    hours = QuietHours.of(QuietSettings.model_validate(NIGHT | changes))
    every = [(source, label) for source in ("hall", "barn") for label in ("dog", "alarm")]
    assert {pair for pair in every if hours.mutes(*pair)} == muted


def muted_in(detection: Detection) -> set[str]:
    return set(detection.plan.policies_of("hall").muted)


def test_quiet_hours_start_and_end_by_the_clock_beside_mutes():
    now = datetime(2026, 11, 20, 21, 59, tzinfo=UTC).timestamp()
    clock, pipeline = [now], Pipeline()
    hours = QuietHours.of(QuietSettings.model_validate(NIGHT | {"all_but": ("loud",)}))
    overrides = Overrides(mutes=(MuteOverride("hall", "loud", now + 120),))
    active = ActivePlan(pipeline, detection(1), overrides, ["hall"], lambda: clock[0], [hours])
    (quiet_label,) = {*active.labels} - {"loud"}
    assert muted_in(pipeline.adopted[-1]) == {"loud"}
    active.tick()
    assert len(pipeline.adopted) == 1  # nothing has changed
    clock[0] += 60
    active.tick()
    assert muted_in(pipeline.adopted[-1]) == {"loud", quiet_label}
    clock[0] += 60
    active.tick()
    assert muted_in(pipeline.adopted[-1]) == {quiet_label}
    clock[0] += 9 * 3600
    active.tick()
    assert muted_in(pipeline.adopted[-1]) == set()


def test_a_station_that_starts_at_night_is_quiet():
    night = datetime(2026, 11, 20, 23, tzinfo=UTC).timestamp()
    pipeline = Pipeline()
    ActivePlan(
        pipeline,
        detection(1),
        Overrides(),
        ["hall"],
        lambda: night,
        [QuietHours.of(QuietSettings.model_validate(NIGHT))],
    )
    assert muted_in(pipeline.adopted[0]) == set(detection(1).plan.policies)


OVERRIDES = Overrides(
    (ThresholdOverride("hall", "loud", 0.9, 0.5),), (MuteOverride(None, "quiet", 1e9),)
)


def test_what_was_written_is_read_and_private_to_its_owner(tmp_path: Path):
    path = tmp_path / "state.json"
    Overrides().write(path)
    OVERRIDES.write(path)
    assert Overrides.read(path) == OVERRIDES
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


def test_no_file_is_no_overrides(tmp_path: Path):
    assert Overrides.read(tmp_path / "none") == Overrides()


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b'{"mutes": 3}', b'{"thresholds": [{"source": "../x"}]}']
)
def test_a_broken_file_is_set_aside_and_logged(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "state.json"
    path.write_bytes(content)
    assert Overrides.read(path) == Overrides()
    assert "set aside" in caplog.text
    assert (tmp_path / "state.json.corrupt").read_bytes() == content
    assert not path.exists()


def test_an_unreadable_file_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    assert Overrides.read(tmp_path) == Overrides()  # a directory
    assert "cannot be read: Is a directory" in caplog.text


def test_a_disk_that_fails_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "state.json"
    OVERRIDES.write(path)
    (tmp_path / "state.json.partial").mkdir()
    with pytest.raises(OSError, match="directory"):
        Overrides().write(path)
    assert Overrides.read(path) == OVERRIDES
