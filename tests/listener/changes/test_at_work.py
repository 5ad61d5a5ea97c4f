"""What people's rules come to is told to whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass, field

from listener.changes.at_work import AtWork
from listener.changes.rules import MuteRule, Rules, ThresholdRule
from listener.pipeline.plan import Detection
from listener.sinks.sink import Notice, RulesNotice
from tests.listener.changes.test_bundle_switch import detection


@dataclass
class Ear:
    """A pipeline that listens to what it is told."""

    told: list[Notice] = field(default_factory=list)
    adopted: int = 0

    def adopt(self, _detection: Detection) -> None:
        self.adopted += 1

    def tell(self, notice: Notice) -> None:
        self.told.append(notice)

    @property
    def last(self) -> RulesNotice:
        assert isinstance(self.told[-1], RulesNotice)
        return self.told[-1]


def at_work(rules: Rules, now: float = 0.0) -> tuple[AtWork, Ear]:
    ear = Ear()
    return AtWork(ear, detection(1), rules, ["hall", "barn"], lambda: now), ear


def test_without_rules_the_bundles_thresholds_are_told():
    station, ear = at_work(Rules())
    policies = station.detection.plan.policies
    assert ear.adopted == 0
    assert ear.last.muted == frozenset()
    assert set(ear.last.thresholds) == {"hall", "barn"}
    assert ear.last.thresholds["hall"] == {
        label: policy.on_threshold for label, policy in policies.items()
    }


def test_a_threshold_is_told_of_its_source():
    station, ear = at_work(Rules())
    label = station.labels[0]
    before = ear.last.thresholds["barn"][label]
    station.take_rules(Rules((ThresholdRule("hall", label, 0.875),)))
    assert ear.last.thresholds["hall"][label] == 0.875
    assert ear.last.thresholds["barn"][label] == before != 0.875


def test_a_source_is_muted_when_all_of_its_labels_are():
    station, ear = at_work(Rules(mutes=(MuteRule("hall", None, 60.0),)))
    assert ear.last.muted == {"hall"}
    station.take_rules(Rules(mutes=(MuteRule("hall", station.labels[0], 60.0),)))
    assert ear.last.muted == frozenset()
    station.take_rules(Rules(mutes=(MuteRule(None, None, 60.0),)))
    assert ear.last.muted == {"hall", "barn"}
