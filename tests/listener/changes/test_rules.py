"""Rules of people over the policies of a bundle."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from listener.changes.rules import MuteRule, Rules, ThresholdRule, apply_rules
from listener.detection.policy import LabelPolicy
from listener.pipeline.plan import DetectionPlan
from tests.listener.pipeline.stages import make_plan

POLICY = LabelPolicy(on_threshold=0.5, off_threshold=0.3)


def plan() -> DetectionPlan:
    return make_plan(POLICY)


def thresholds(rules: Rules, source: str, label: str = "loud") -> tuple[float, float]:
    policy = apply_rules(plan(), rules, ["hall", "barn"]).policies_of(source).policies[label]
    return policy.on_threshold, policy.off_threshold


def muted(rules: Rules, source: str) -> set[str]:
    return set(apply_rules(plan(), rules, ["hall", "barn"]).policies_of(source).muted)


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
    rules = Rules().with_threshold(ThresholdRule(None, "loud", on, off))
    assert thresholds(rules, "hall") == thresholds(rules, "barn") == expected
    assert thresholds(rules, "hall", "quiet") == (0.5, 0.3)


def test_off_over_on_is_refused():
    with pytest.raises(ValidationError, match=r"expected off <= on, got 0\.4 and 0\.2"):
        ThresholdRule(None, "loud", 0.2, 0.4)


@pytest.mark.parametrize("own_first", [True, False])
def test_the_threshold_of_a_source_counts_more_than_that_for_all(own_first: bool):
    own, for_all = ThresholdRule("hall", "loud", 0.9), ThresholdRule(None, "loud", 0.7)
    rules = Rules((own, for_all) if own_first else (for_all, own))
    assert (thresholds(rules, "hall")[0], thresholds(rules, "barn")[0]) == (0.9, 0.7)


def test_a_rule_replaces_the_one_of_the_same_words_and_an_empty_one_ends_it():
    rules = Rules().with_threshold(ThresholdRule("hall", "loud", 0.9))
    rules = rules.with_threshold(ThresholdRule("hall", "loud", 0.8))
    assert [rule.on for rule in rules.thresholds] == [0.8]
    assert rules.with_threshold(ThresholdRule("hall", "loud")) == Rules()


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
    rules = Rules().with_mute(MuteRule(source, label, 100.0))
    assert (muted(rules, "hall"), muted(rules, "barn")) == (hall, barn)


def test_a_mute_ends_with_its_time():
    rules = Rules(mutes=(MuteRule(None, "loud", 100.0), MuteRule(None, "quiet", 200.0)))
    assert rules.at(99.9) is rules
    assert rules.at(100.0).mutes == rules.mutes[1:]
    assert rules.at(200.0) == Rules()


def test_an_unmute_ends_those_that_name_it():
    mutes = tuple(MuteRule(s, k, 9.0) for s in (None, "hall") for k in (None, "loud"))
    rules = Rules(mutes=mutes)
    assert rules.without_mutes("hall", "loud").mutes == mutes[:3]
    assert rules.without_mutes("hall", None).mutes == mutes[:2]
    assert rules.without_mutes(None, None) == Rules()


def test_a_label_that_the_bundle_has_not_is_passed_over():
    rules = Rules((ThresholdRule(None, "gone", 0.9),), (MuteRule(None, "gone", 9.0),))
    assert thresholds(rules, "hall") == (0.5, 0.3)
    assert muted(rules, "hall") == set()
