"""The members of a group by the scores that they had, where and when they were asked for."""

from __future__ import annotations

import numpy as np

from listener.detection.bundle import Label
from listener.detection.clip import GroupMembers, LabelSpan
from listener.detection.group_members import order_members
from listener.detection.labels import LabelGroup
from listener.detection.recent import RecentSlot

DOG = LabelGroup(Label("dog", "Dog"), ("bark", "howl"))
WATER = LabelGroup(Label("water", "Water"), ("rain", "tap", "sea"))
NOTHING = np.empty(0, np.float16)


def slot(second: int, *members: float) -> RecentSlot:
    values = np.array(members, np.float16)
    return RecentSlot(float(second), second + 1.0, NOTHING, NOTHING, values, private=False)


SLOTS = [slot(0, 0.1, 0.9, 0.1, 0.2, 0.3), slot(1, 0.5, 0.4, 0.1, 0.6, 0.3)]


def test_a_group_has_its_own_columns_and_the_highest_of_all_slots_counts():
    assert order_members([DOG, WATER], SLOTS, None) == (
        GroupMembers("dog", ("howl", "bark")),
        GroupMembers("water", ("tap", "sea", "rain")),
    )


def test_of_the_group_that_sounds_only_its_span_counts():
    """The middle of the first slot is not in it."""
    dog, water = order_members([DOG, WATER], SLOTS, LabelSpan("dog", 0.75, 2.0))
    assert dog.members == ("bark", "howl")
    assert water.members == ("tap", "sea", "rain")


def test_a_span_shorter_than_a_slot_falls_back_on_the_clip():
    (dog,) = order_members([DOG], [slot(0, 0.1, 0.9)], LabelSpan("dog", 0.75, 0.9))
    assert dog.members == ("howl", "bark")


def test_equal_scores_stay_in_the_order_of_the_config():
    (water,) = order_members([WATER], [slot(0, 0.5, 0.5, 0.5)], None)
    assert water.members == ("rain", "tap", "sea")


def test_nobody_can_say_without_slots_or_groups():
    assert order_members([DOG], [], None) == ()
    assert order_members([], SLOTS, None) == ()
