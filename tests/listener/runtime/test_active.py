"""What people's rules come to is told to whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from listener.control.commands import CommandError, Mute, SetThreshold, Unmute
from listener.pipeline.plan import Detection
from listener.runtime.active import ActivePlan, OverrideCommands
from listener.runtime.overrides import MuteOverride, Overrides, ThresholdOverride, read_overrides
from listener.sinks.sink import Notice, OverridesNotice
from tests.listener.runtime.test_hot_swap import Pipeline, detection


@dataclass
class Ear:
    """A pipeline that listens to what it is told."""

    told: list[Notice] = field(default_factory=list)
    adopted: int = 0

    def adopt(self, _detection: Detection) -> None:
        self.adopted += 1

    def notify(self, notice: Notice) -> None:
        self.told.append(notice)

    @property
    def last(self) -> OverridesNotice:
        assert isinstance(self.told[-1], OverridesNotice)
        return self.told[-1]


def at_work(rules: Overrides, now: float = 0.0) -> tuple[ActivePlan, Ear]:
    ear = Ear()
    return ActivePlan(ear, detection(1), rules, ["hall", "barn"], lambda: now), ear


def test_without_rules_the_bundles_thresholds_are_told():
    station, ear = at_work(Overrides())
    policies = station.detection.plan.policies
    assert ear.adopted == 0
    assert ear.last.muted == frozenset()
    assert set(ear.last.thresholds) == {"hall", "barn"}
    assert ear.last.thresholds["hall"] == {
        label: policy.on_threshold for label, policy in policies.items()
    }


def test_a_threshold_is_told_of_its_source():
    station, ear = at_work(Overrides())
    label = station.labels[0]
    before = ear.last.thresholds["barn"][label]
    station.take_rules(Overrides((ThresholdOverride("hall", label, 0.875),)))
    assert ear.last.thresholds["hall"][label] == 0.875
    assert ear.last.thresholds["barn"][label] == before != 0.875


def test_a_source_is_muted_when_all_of_its_labels_are():
    station, ear = at_work(Overrides(mutes=(MuteOverride("hall", None, 60.0),)))
    assert ear.last.muted == {"hall"}
    station.take_rules(Overrides(mutes=(MuteOverride("hall", station.labels[0], 60.0),)))
    assert ear.last.muted == frozenset()
    station.take_rules(Overrides(mutes=(MuteOverride(None, None, 60.0),)))
    assert ear.last.muted == {"hall", "barn"}


WHEN = datetime(2026, 11, 20, tzinfo=UTC)


class Bench:
    def __init__(self, path: Path) -> None:
        self.now, self.path, self.pipeline = 1000.0, path, Pipeline()
        self.at_work = ActivePlan(
            self.pipeline, detection(1), Overrides(), ["hall", "barn"], lambda: self.now
        )
        self.book = OverrideCommands(self.at_work, path, lambda: self.now)

    def muted(self, source: str = "hall") -> set[str]:
        return set(self.pipeline.adopted[-1].plan.policies_of(source).muted)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "state.json")


def test_a_mute_counts_until_its_time(bench: Bench):
    answer = bench.book.mute(Mute(id="a", at=WHEN, source="hall", label="loud", seconds=60.0))
    assert answer == {"until": 1060.0}
    assert (bench.muted("hall"), bench.muted("barn")) == ({"loud"}, set())
    bench.now = 1059.9
    bench.at_work.look()
    assert bench.muted() == {"loud"}
    bench.now = 1060.0
    bench.at_work.look()
    assert bench.muted() == set()


def test_an_unmute_says_how_many_have_ended(bench: Bench):
    for label in ("loud", "quiet"):
        bench.book.mute(Mute(id="a", at=WHEN, label=label, seconds=60.0))
    assert bench.book.unmute(Unmute(id="a", at=WHEN, label="loud")) == {"ended": 1}
    assert bench.muted() == {"quiet"}
    assert bench.book.unmute(Unmute(id="a", at=WHEN)) == {"ended": 1}
    assert bench.book.unmute(Unmute(id="a", at=WHEN)) == {"ended": 0}


def test_a_threshold_says_what_counts_now(bench: Bench):
    answer = bench.book.set_threshold(
        SetThreshold(id="a", at=WHEN, source="barn", label="loud", on=0.8)
    )
    assert answer == {"thresholds": {"barn": {"on": 0.8, "off": 0.5}}}
    answer = bench.book.set_threshold(SetThreshold(id="a", at=WHEN, label="loud", on=0.7))
    assert answer["thresholds"] == {
        "hall": {"on": 0.7, "off": 0.5},
        "barn": {"on": 0.8, "off": 0.5},
    }
    assert read_overrides(bench.path) == bench.at_work.rules


def test_a_mute_of_0_seconds_ends_one_of_the_same_words_and_no_other(bench: Bench):
    for label in (None, "quiet"):
        bench.book.mute(Mute(id="a", at=WHEN, source="hall", label=label, seconds=60.0))
    answer = bench.book.mute(Mute(id="b", at=WHEN, source="hall", seconds=0.0))
    assert answer == {"until": 1000.0}
    assert bench.muted() == {"quiet"}
    assert [rule.label for rule in read_overrides(bench.path).mutes] == ["quiet"]


def test_what_does_not_fit_changes_nothing(bench: Bench):
    for source, label, reason in (
        ("yard", "loud", "source: expected hall, barn, got 'yard'"),
        ("hall", "dog", "label: doubles@1 has no label 'dog'"),
    ):
        with pytest.raises(CommandError, match=reason):
            bench.book.mute(Mute(id="a", at=WHEN, source=source, label=label, seconds=9.0))
    with pytest.raises(CommandError, match="threshold: expected off <= on"):
        bench.book.set_threshold(SetThreshold(id="a", at=WHEN, label="loud", on=0.2, off=0.3))
    assert (bench.pipeline.adopted, bench.path.exists()) == ([], False)


def test_a_disk_that_fails_refuses_the_command(tmp_path: Path):
    bench = Bench(tmp_path / "missing" / "state.json")
    with pytest.raises(CommandError, match=r"state.json: cannot be written: No such file"):
        bench.book.mute(Mute(id="a", at=WHEN, seconds=9.0))
    assert bench.pipeline.adopted == []
