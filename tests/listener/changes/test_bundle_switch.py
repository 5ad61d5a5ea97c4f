"""Another bundle is taken, refused or given up; known answers with doubles and a clock of the test's."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from listener.changes.at_work import AtWork
from listener.changes.bundle_path import BundlePath
from listener.changes.bundle_switch import BundleSwitch
from listener.changes.rules import MuteRule, Rules
from listener.config.station import ControlSettings
from listener.control.commands import CommandError
from listener.detection.bundle import BundleError, Label, Manifest
from listener.detection.label_groups import LabelGroup
from listener.detection.params import FeatureParams
from listener.health import Health
from listener.pipeline.plan import Detection
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

    def tell(self, notice: Notice) -> None:
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
        rules = Rules(mutes=(MuteRule("hall", "loud", 1e12),))
        self.at_work = AtWork(self.pipeline, first, rules, ["hall"])
        self.switch = BundleSwitch(
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
    switch = BundleSwitch(
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
