"""Another bundle is taken, refused or given up; known answers with doubles and a clock of the test's."""

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

JUDGED = ControlSettings(rollback_factor=3.0, rollback_least_events=5)


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
        """What the rules come to is not looked at here."""

    @property
    def bundles(self) -> list[str]:
        return [detection.plan.bundle for detection in self.adopted]


class Bench:
    """v1 is at work; `current` leads to it; what the directories hold is in `shelf`."""

    def __init__(self, folder: Path, settings: ControlSettings) -> None:
        self.models = folder
        for name in ("v1", "v2"):
            (folder / name).mkdir()
        (folder / "current").symlink_to("v1")
        self.shelf: dict[str, Detection | BundleError] = {"v1": detection(1), "v2": detection(2)}
        self.pipeline, self.health = Pipeline(), make_health("hall")
        self.now, self.told = 0.0, list[tuple[str | None, str, str]]()
        first = self.shelf["v1"]
        assert isinstance(first, Detection)
        rules = Overrides(mutes=(MuteOverride("hall", "loud", 1e12),))
        self.at_work = ActivePlan(self.pipeline, first, rules, ["hall"])
        self.switch = HotSwap(
            self.at_work,
            BundlePath(folder / "current"),
            self.load,
            self.health,
            settings,
            lambda bundle, path, reason: self.told.append((bundle, path.name, reason)),
            lambda: self.now,
        )

    def load(self, path: Path) -> Detection:
        found = self.shelf[path.name]
        if isinstance(found, BundleError):
            raise found
        return found

    def point_to(self, name: str) -> None:
        (self.models / "current").unlink()
        (self.models / "current").symlink_to(name)

    def hear(self, events: int) -> None:
        self.health.sources["hall"].by_label.events[0] += events

    def look_at(self, seconds: float) -> None:
        self.now = seconds
        self.switch.look()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, JUDGED)


def test_a_link_that_moves_is_followed_and_the_rules_stay(bench: Bench):
    bench.look_at(1.0)
    assert bench.pipeline.bundles == ["doubles@1"]  # with the mute of the state file
    bench.point_to("v2")
    bench.look_at(2.0)
    assert bench.pipeline.bundles == ["doubles@1", "doubles@2"]
    assert bench.pipeline.adopted[1].plan.policies_of("hall").muted == {"loud"}
    assert bench.health.bundle_switches == {"taken": 1}
    assert {reason for *_, reason in bench.told} == {""}


def test_a_refused_bundle_changes_nothing_and_is_told_of(bench: Bench):
    bench.shelf["v2"] = BundleError("v2: expected\n this")
    bench.point_to("v2")
    bench.look_at(1.0)
    bench.look_at(2.0)
    assert bench.pipeline.bundles == ["doubles@1"]
    assert bench.told[-1] == (None, "v2", "v2: expected this")
    assert bench.health.bundle_switches == {"refused": 1}  # once, and not at each look
    with pytest.raises(CommandError, match="reload: v2: expected this"):
        bench.switch.reload()
    assert bench.health.bundle_refused
    bench.shelf["v2"] = detection(2)
    bench.switch.reload()
    assert not bench.health.bundle_refused


def test_another_sample_rate_needs_a_restart(bench: Bench):
    bench.shelf["v2"] = detection(2, params=FeatureParams(sample_rate_hz=32_000, fft_length=1024))
    bench.point_to("v2")
    with pytest.raises(CommandError, match="expected 16000 Hz, as the bundle at work, got 32000"):
        bench.switch.reload()
    assert bench.pipeline.bundles == ["doubles@1"]


def grouped(version: int, *members: str) -> Detection:
    found = detection(version)
    group = LabelGroup(Label("any", "Any"), members)
    return replace(found, plan=replace(found.plan, groups=(group,)))


def test_a_bundle_that_hears_less_of_a_group_is_refused(bench: Bench):
    bench.shelf |= {"v1": grouped(1, "loud"), "v2": grouped(2, "loud", "quiet")}
    bench.switch.reload()
    bench.point_to("v2")
    assert bench.switch.reload()["changed"]  # more of it is welcome
    bench.point_to("v1")
    expected = "doubles@1: expected every sound of the groups at work, it lacks quiet of any"
    with pytest.raises(CommandError, match=expected):
        bench.switch.reload()
    assert bench.told[-1][2] == expected


def test_the_same_bundle_is_not_taken_again(bench: Bench):
    assert bench.switch.reload() == {"bundle": "doubles@1", "changed": False}
    assert bench.pipeline.bundles == ["doubles@1"]
    bench.shelf["v1"] = detection(3)  # replaced in place
    assert bench.switch.reload() == {"bundle": "doubles@3", "changed": True}


def test_a_label_that_jumps_brings_the_bundle_before_back_with_its_link(bench: Bench):
    bench.hear(10)  # in an hour
    bench.point_to("v2")
    bench.look_at(3600.0)
    bench.hear(30)
    bench.look_at(4600.0)
    assert bench.pipeline.bundles[-1] == "doubles@2"  # three times, and no more
    bench.hear(1)
    bench.look_at(4700.0)
    assert bench.pipeline.bundles[-1] == "doubles@1"
    assert (bench.models / "current").readlink() == Path("v1")
    assert bench.told[-1] == (
        "doubles@2",
        "v2",
        "rolled back to doubles@1: loud: 31 events in an hour, 10.0 before",
    )
    bench.hear(1000)
    bench.look_at(4800.0)
    assert bench.pipeline.bundles == [
        "doubles@1",
        "doubles@2",
        "doubles@1",
    ]  # nothing to go back to
    assert bench.health.bundle_switches == {"taken": 1, "rolled_back": 1}


def test_a_path_that_is_no_link_is_only_told_of(tmp_path: Path):
    bench = Bench(tmp_path, JUDGED)
    switch = HotSwap(
        bench.at_work, BundlePath(tmp_path / "v1"), bench.load, bench.health, JUDGED,
        lambda bundle, path, reason: bench.told.append((bundle, path.name, reason)), lambda: bench.now,
    )  # fmt: skip
    bench.shelf["v1"] = detection(2)
    switch.reload()
    bench.hear(100)
    bench.now = 10.0
    switch.look()
    assert bench.pipeline.bundles[-1] == "doubles@1"
    assert bench.told[-1][2].endswith("; the path of the config still leads to it")


def test_after_a_day_the_bundle_before_is_let_go(bench: Bench):
    bench.point_to("v2")
    bench.look_at(10.0)
    bench.look_at(10.0 + 86_401.0)
    bench.hear(10_000)
    bench.look_at(10.0 + 86_500.0)
    assert bench.pipeline.bundles[-1] == "doubles@2"


def test_without_a_factor_nothing_is_judged(tmp_path: Path):
    bench = Bench(tmp_path, ControlSettings())
    bench.point_to("v2")
    bench.look_at(10.0)
    bench.hear(10_000)
    bench.look_at(20.0)
    assert bench.pipeline.bundles[-1] == "doubles@2"


def test_health_is_not_touched_by_the_main_thread(bench: Bench):
    """What is at work is said by the thread that works with it."""
    bench.point_to("v2")
    bench.look_at(1.0)
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


def test_a_move_is_seen_once(models: Path):
    path = BundlePath(models / "current")
    assert not path.look()
    repoint(models, "v2")
    assert path.look()
    assert not path.look()
    assert path.target() == (models / "v2").resolve()


def test_a_link_that_leads_nowhere_is_not_followed(models: Path):
    path = BundlePath(models / "current")
    repoint(models, "v9")
    assert not path.look()
    repoint(models, "v1")
    assert not path.look()


@pytest.mark.parametrize("target", ["..", "../elsewhere", "/"])
def test_a_link_must_not_lead_out_of_its_directory(models: Path, target: str):
    (models.parent / "elsewhere").mkdir()
    path = BundlePath(models / "current")
    repoint(models, target)
    with pytest.raises(BundleError, match="expected a link to a bundle in"):
        path.target()


def test_a_directory_is_its_own_target(models: Path):
    path = BundlePath(models / "v1")
    assert path.target() == (models / "v1").resolve()
    assert not path.point_to(models / "v2")


def test_a_link_is_pointed_back_and_that_is_no_news(models: Path):
    path = BundlePath(models / "current")
    repoint(models, "v2")
    assert path.look()
    assert path.point_to((models / "v1").resolve())
    assert (models / "current").readlink() == Path("v1")
    assert not path.look()
    assert sorted(file.name for file in models.iterdir()) == ["current", "v1", "v2"]


def test_a_link_that_cannot_be_changed_is_left(models: Path, monkeypatch: pytest.MonkeyPatch):
    path = BundlePath(models / "current")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "symlink_to", refuse)  # the tests may run as root
    assert not path.point_to(models / "v2")
    assert (models / "current").readlink() == Path("v1")


MINUTE, HOUR = 60.0, 3600.0


def trial(before: float = 2.0, factor: float = 5.0, least: int = 10) -> Probation:
    return Probation(
        {"dog": before, "cat": 0.0}, 0.0, {"dog": 100}, factor=factor, least_events=least
    )


def test_a_jump_is_over_the_factor_in_an_hour():
    judged = trial()
    assert judged.look(30 * MINUTE, {"dog": 110}) is None  # 10 events, 5 times 2 an hour
    assert judged.look(31 * MINUTE, {"dog": 111}) == RateJump("dog", 11, 2.0)


def test_few_events_are_no_jump_from_nothing():
    judged = trial(before=0.0)
    assert judged.look(MINUTE, {"dog": 109}) is None
    assert judged.look(2 * MINUTE, {"dog": 110}) == RateJump("dog", 10, 0.0)


def test_only_the_last_hour_counts():
    judged = trial()
    for minute in range(1, 20 * 60):  # nine an hour, for 20 hours
        assert judged.look(minute * MINUTE, {"dog": 100 + 9 * minute // 60}) is None


def test_a_burst_late_in_the_day_is_found():
    judged = trial()
    for minute in range(1, 600):
        assert judged.look(minute * MINUTE, {"dog": 100 + minute // 60}) is None
    assert judged.look(600 * MINUTE, {"dog": 140}) == RateJump("dog", 31, 2.0)  # 109 an hour before


def test_the_label_that_jumps_most_is_named():
    found = trial().look(MINUTE, {"dog": 120, "cat": 50})
    assert found == RateJump("cat", 50, 0.0)
    assert str(found) == "cat: 50 events in an hour, 0.0 before"


def test_a_label_that_the_bundle_before_had_not_is_not_judged():
    assert trial().look(MINUTE, {"dog": 100, "wolf": 1000}) is None


def test_a_day_is_enough():
    judged = trial()
    assert not judged.is_over(24 * HOUR)
    assert judged.is_over(24 * HOUR + 1)


@pytest.mark.parametrize(("seconds", "rate"), [(HOUR, 6.0), (2 * HOUR, 3.0), (1.0, 360.0)])
def test_rates_are_of_an_hour_and_never_of_less_than_a_minute(seconds: float, rate: float):
    assert rates_per_hour({"dog": 4}, {"dog": 10}, seconds) == {"dog": pytest.approx(rate)}


def test_totals_are_over_all_sources():
    health = make_health("hall", "barn")
    health.sources["hall"].by_label.events[:] = (3, 0)
    health.sources["barn"].by_label.events[:] = (4, 1)
    assert event_totals(health) == {"loud": 7, "quiet": 1}
