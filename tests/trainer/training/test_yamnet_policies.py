"""YAMNet's table of policies: groups of the home are measured, other labels follow how long they sound."""

import pytest

from listener.detection.labels import read_label_set
from listener.detection.policy import DurationClass
from trainer.training.yamnet_policies import SMOOTHING_SECONDS, read_yamnet_policies

POLICIES = read_yamnet_policies()
HOME = read_label_set("home")


def test_every_group_of_the_home_has_a_threshold() -> None:
    assert set(POLICIES.home) == set(HOME)


@pytest.mark.parametrize("group", HOME)
def test_the_members_of_a_group_are_equally_sensitive(group: str) -> None:
    members = {POLICIES.policy(name) for name in HOME[group]}
    assert {policy.on_threshold for policy in members} == {POLICIES.home[group]}
    assert len(members) == 1


@pytest.mark.parametrize(
    ("name", "duration"),
    [
        ("Knock", DurationClass.IMPULSIVE),
        ("Doorbell", DurationClass.SHORT),
        ("Rain", DurationClass.SUSTAINED),
    ],
)
def test_another_label_is_smoothed_by_its_length(name: str, duration: DurationClass) -> None:
    assert POLICIES.group_of(name) is None
    assert POLICIES.policy(name).smoothing_seconds == SMOOTHING_SECONDS[duration]


def test_no_class_is_both_impulsive_and_short() -> None:
    assert POLICIES.impulsive.isdisjoint(POLICIES.short)
