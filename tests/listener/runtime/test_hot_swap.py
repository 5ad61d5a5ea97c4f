"""A bundle is taken, refused or rolled back: with doubles and a clock of the test."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from listener.config.station import ControlSettings
from listener.control.commands import CommandError
from listener.detection.bundle import BundleError, Label, Manifest
from listener.detection.labels import LabelGroup
from listener.detection.params import FeatureParams
from listener.health import Health
from listener.pipeline.plan import Detection
from listener.runtime.active import ActivePlan
from listener.runtime.hot_swap import (
    BundlePath,
    HotSwap,
    Probation,
    RateJump,
    event_totals,
    rates_per_hour,
)
from listener.runtime.overrides import MuteOverride, Overrides
from listener.sinks.sink import Notice
from tests.doubles import LABELS, LoudnessEngine
from tests.listener.pipeline.stages import POLICY, make_health, make_plan

ROLLBACK = ControlSettings(rollback_factor=3.0, rollback_least_events=5)


def detection(version: int, **plan: FeatureParams) -> Detection:
    labels = tuple(Label(slug, slug) for slug in LABELS)
    manifest = Manifest(
        "doubles", version, "2026-01-01T00:00:00Z", labels, dict.fromkeys(LABELS, POLICY)
    )
    changed = replace(make_plan(), bundle=f"doubles@{version}", **plan)  # type: ignore[arg-type]
    return Detection(LoudnessEngine(), changed, manifest)


@dataclass
class Pipeline:
    adopted: list[Detection] = field(default_factory=list)

    def adopt(self, detection: Detection) -> None:
        self.adopted.append(detection)

    def notify(self, notice: Notice) -> None:
        """Ignored here."""

    @property
    def bundles(self) -> list[str]:
        return [detection.plan.bundle for detection in self.adopted]


class Bench:
    """v1 is active and `current` points to it; `bundles` are those in the directories."""

    def __init__(self, folder: Path, settings: ControlSettings) -> None:
        self.models = folder
        for name in ("v1", "v2"):
            (folder / name).mkdir()
        (folder / "current").symlink_to("v1")
        self.bundles: dict[str, Detection | BundleError] = {"v1": detection(1), "v2": detection(2)}
        self.pipeline, self.health = Pipeline(), make_health("hall")
        self.now, self.refusals = 0.0, list[tuple[str | None, str, str]]()
        first = self.bundles["v1"]
        assert isinstance(first, Detection)
        overrides = Overrides(mutes=(MuteOverride("hall", "loud", 1e12),))
        self.active = ActivePlan(self.pipeline, first, overrides, ["hall"])
        self.hot_swap = HotSwap(
            self.active,
            BundlePath(folder / "current"),
            self.load,
            self.health,
            settings,
            lambda bundle, path, reason: self.refusals.append((bundle, path.name, reason)),
            lambda: self.now,
        )

    def load(self, path: Path) -> Detection:
        found = self.bundles[path.name]
        if isinstance(found, BundleError):
            raise found
        return found

    def point_to(self, name: str) -> None:
        (self.models / "current").unlink()
        (self.models / "current").symlink_to(name)

    def add_events(self, events: int) -> None:
        self.health.sources["hall"].by_label.events[0] += events

    def tick_at(self, seconds: float) -> None:
        self.now = seconds
        self.hot_swap.tick()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, ROLLBACK)


def test_a_link_that_moves_is_followed_and_the_overrides_stay(bench: Bench):
    bench.tick_at(1.0)
    assert bench.pipeline.bundles == ["doubles@1"]  # with the mute of the state file
    bench.point_to("v2")
    bench.tick_at(2.0)
    assert bench.pipeline.bundles == ["doubles@1", "doubles@2"]
    assert bench.pipeline.adopted[1].plan.policies_of("hall").muted == {"loud"}
    assert bench.health.bundle_switches == {"taken": 1}
    assert {reason for *_, reason in bench.refusals} == {""}


def test_a_refused_bundle_changes_nothing_and_is_published(bench: Bench):
    bench.bundles["v2"] = BundleError("v2: expected\n this")
    bench.point_to("v2")
    bench.tick_at(1.0)
    bench.tick_at(2.0)
    assert bench.pipeline.bundles == ["doubles@1"]
    assert bench.refusals[-1] == (None, "v2", "v2: expected this")
    assert bench.health.bundle_switches == {"refused": 1}  # once, and not at each tick
    with pytest.raises(CommandError, match="reload: v2: expected this"):
        bench.hot_swap.reload()
    assert bench.health.bundle_refused
    bench.bundles["v2"] = detection(2)
    bench.hot_swap.reload()
    assert not bench.health.bundle_refused


def test_another_sample_rate_needs_a_restart(bench: Bench):
    bench.bundles["v2"] = detection(2, params=FeatureParams(sample_rate_hz=32_000, fft_length=1024))
    bench.point_to("v2")
    with pytest.raises(CommandError, match="expected 16000 Hz, like the active bundle, got 32000"):
        bench.hot_swap.reload()
    assert bench.pipeline.bundles == ["doubles@1"]


def grouped(version: int, *members: str) -> Detection:
    found = detection(version)
    group = LabelGroup(Label("any", "Any"), members)
    return replace(found, plan=replace(found.plan, groups=(group,)))


def test_a_bundle_that_lacks_a_member_of_a_group_is_refused(bench: Bench):
    bench.bundles |= {"v1": grouped(1, "loud"), "v2": grouped(2, "loud", "quiet")}
    bench.hot_swap.reload()
    bench.point_to("v2")
    assert bench.hot_swap.reload()["changed"]  # one more member is no reason
    bench.point_to("v1")
    expected = "doubles@1: expected every sound of the active groups, it lacks quiet of any"
    with pytest.raises(CommandError, match=expected):
        bench.hot_swap.reload()
    assert bench.refusals[-1][2] == expected


def test_the_same_bundle_is_not_taken_again(bench: Bench):
    assert bench.hot_swap.reload() == {"bundle": "doubles@1", "changed": False}
    assert bench.pipeline.bundles == ["doubles@1"]
    bench.bundles["v1"] = detection(3)  # replaced in place
    assert bench.hot_swap.reload() == {"bundle": "doubles@3", "changed": True}


def test_a_label_that_jumps_rolls_back_the_bundle_and_its_link(bench: Bench):
    bench.add_events(10)  # in an hour
    bench.point_to("v2")
    bench.tick_at(3600.0)
    bench.add_events(30)
    bench.tick_at(4600.0)
    assert bench.pipeline.bundles[-1] == "doubles@2"  # three times, and no more
    bench.add_events(1)
    bench.tick_at(4700.0)
    assert bench.pipeline.bundles[-1] == "doubles@1"
    assert (bench.models / "current").readlink() == Path("v1")
    assert bench.refusals[-1] == (
        "doubles@2",
        "v2",
        "rolled back to doubles@1: loud: 31 events in an hour, 10.0 before",
    )
    bench.add_events(1000)
    bench.tick_at(4800.0)
    assert bench.pipeline.bundles == [
        "doubles@1",
        "doubles@2",
        "doubles@1",
    ]
    assert bench.health.bundle_switches == {"taken": 1, "rolled_back": 1}


def test_a_path_that_is_no_link_stays_as_it_is(tmp_path: Path):
    bench = Bench(tmp_path, ROLLBACK)
    hot_swap = HotSwap(
        bench.active, BundlePath(tmp_path / "v1"), bench.load, bench.health, ROLLBACK,
        lambda bundle, path, reason: bench.refusals.append((bundle, path.name, reason)), lambda: bench.now,
    )  # fmt: skip
    bench.bundles["v1"] = detection(2)
    hot_swap.reload()
    bench.add_events(100)
    bench.now = 10.0
    hot_swap.tick()
    assert bench.pipeline.bundles[-1] == "doubles@1"
    assert bench.refusals[-1][2].endswith("; the path of the config still points to it")


def test_after_a_day_the_previous_bundle_is_dropped(bench: Bench):
    bench.point_to("v2")
    bench.tick_at(10.0)
    bench.tick_at(10.0 + 86_401.0)
    bench.add_events(10_000)
    bench.tick_at(10.0 + 86_500.0)
    assert bench.pipeline.bundles[-1] == "doubles@2"


def test_without_a_factor_there_is_no_probation(tmp_path: Path):
    bench = Bench(tmp_path, ControlSettings())
    bench.point_to("v2")
    bench.tick_at(10.0)
    bench.add_events(10_000)
    bench.tick_at(20.0)
    assert bench.pipeline.bundles[-1] == "doubles@2"


def test_the_main_thread_leaves_the_active_bundle_of_health_alone(bench: Bench):
    """The inference thread sets it when it takes the bundle."""
    bench.point_to("v2")
    bench.tick_at(1.0)
    assert isinstance(bench.health, Health)
    assert bench.health.bundle == "doubles@1"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    for name in ("v1", "v2"):
        (folder / name).mkdir(parents=True)
    (folder / "current").symlink_to("v1")
    return folder


def repoint(models: Path, target: str) -> None:
    (models / "current").unlink()
    (models / "current").symlink_to(target)


def test_a_move_is_reported_once(models: Path):
    path = BundlePath(models / "current")
    assert not path.has_moved()
    repoint(models, "v2")
    assert path.has_moved()
    assert not path.has_moved()
    assert path.resolve() == (models / "v2").resolve()


def test_a_dangling_link_is_ignored(models: Path):
    path = BundlePath(models / "current")
    repoint(models, "v9")
    assert not path.has_moved()
    repoint(models, "v1")
    assert not path.has_moved()


@pytest.mark.parametrize("target", ["..", "../elsewhere", "/"])
def test_a_link_must_not_point_outside_its_directory(models: Path, target: str):
    (models.parent / "elsewhere").mkdir()
    path = BundlePath(models / "current")
    repoint(models, target)
    with pytest.raises(BundleError, match="expected a link to a bundle in"):
        path.resolve()


def test_a_directory_is_its_own_target(models: Path):
    path = BundlePath(models / "v1")
    assert path.resolve() == (models / "v1").resolve()
    assert not path.point_to(models / "v2")


def test_a_link_that_is_pointed_back_has_not_moved(models: Path):
    path = BundlePath(models / "current")
    repoint(models, "v2")
    assert path.has_moved()
    assert path.point_to((models / "v1").resolve())
    assert (models / "current").readlink() == Path("v1")
    assert not path.has_moved()
    assert sorted(file.name for file in models.iterdir()) == ["current", "v1", "v2"]


def test_a_link_that_cannot_be_changed_stays(models: Path, monkeypatch: pytest.MonkeyPatch):
    path = BundlePath(models / "current")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "symlink_to", refuse)  # the tests may run as root
    assert not path.point_to(models / "v2")
    assert (models / "current").readlink() == Path("v1")


MINUTE, HOUR = 60.0, 3600.0


def probation(before: float = 2.0, factor: float = 5.0, least: int = 10) -> Probation:
    return Probation(
        {"dog": before, "cat": 0.0}, 0.0, {"dog": 100}, factor=factor, least_events=least
    )


def test_a_jump_is_over_the_factor_in_an_hour():
    watched = probation()
    assert watched.check(30 * MINUTE, {"dog": 110}) is None  # 10 events, 5 times 2 an hour
    assert watched.check(31 * MINUTE, {"dog": 111}) == RateJump("dog", 11, 2.0)


def test_few_events_are_no_jump_from_nothing():
    watched = probation(before=0.0)
    assert watched.check(MINUTE, {"dog": 109}) is None
    assert watched.check(2 * MINUTE, {"dog": 110}) == RateJump("dog", 10, 0.0)


def test_only_the_last_hour_counts():
    watched = probation()
    for minute in range(1, 20 * 60):  # nine an hour, for 20 hours
        assert watched.check(minute * MINUTE, {"dog": 100 + 9 * minute // 60}) is None


def test_a_burst_late_in_the_day_is_found():
    watched = probation()
    for minute in range(1, 600):
        assert watched.check(minute * MINUTE, {"dog": 100 + minute // 60}) is None
    assert watched.check(600 * MINUTE, {"dog": 140}) == RateJump(
        "dog", 31, 2.0
    )  # 109 an hour before


def test_the_label_that_jumps_most_is_named():
    found = probation().check(MINUTE, {"dog": 120, "cat": 50})
    assert found == RateJump("cat", 50, 0.0)
    assert str(found) == "cat: 50 events in an hour, 0.0 before"


def test_a_label_that_is_new_in_the_bundle_is_not_watched():
    assert probation().check(MINUTE, {"dog": 100, "wolf": 1000}) is None


def test_probation_lasts_a_day():
    watched = probation()
    assert not watched.is_over(24 * HOUR)
    assert watched.is_over(24 * HOUR + 1)


@pytest.mark.parametrize(("seconds", "rate"), [(HOUR, 6.0), (2 * HOUR, 3.0), (1.0, 360.0)])
def test_rates_are_per_hour_over_at_least_a_minute(seconds: float, rate: float):
    assert rates_per_hour({"dog": 4}, {"dog": 10}, seconds) == {"dog": pytest.approx(rate)}


def test_totals_sum_over_all_sources():
    health = make_health("hall", "barn")
    health.sources["hall"].by_label.events[:] = (3, 0)
    health.sources["barn"].by_label.events[:] = (4, 1)
    assert event_totals(health) == {"loud": 7, "quiet": 1}
