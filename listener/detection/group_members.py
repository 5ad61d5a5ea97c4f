"""Which member of a group was heard: they are put in the order of their scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from listener.detection.clip import GroupMembers, LabelSpan
from listener.detection.labels import LabelGroup
from listener.detection.recent import RecentSlot

Peaks = NDArray[np.float16]


def order_members(
    groups: Sequence[LabelGroup], slots: Sequence[RecentSlot], span: LabelSpan | None
) -> tuple[GroupMembers, ...]:
    """The members of each group by their highest score; those of the span's label by that within it.

    `slots` are those of a clip, their `members` in the order of the groups; without slots nobody can say.
    """
    if not slots:
        return ()
    inside = [slot for slot in slots if span and span.onset <= slot.centre < span.offset] or slots
    own = "" if span is None else span.label
    found, start = [], 0
    for group in groups:
        heard = inside if group.label.slug == own else slots
        end = start + len(group.members)
        found.append(_by_score(group, _peaks(heard)[start:end]))
        start = end
    return tuple(found)


def _peaks(slots: Sequence[RecentSlot]) -> Peaks:
    peaks: Peaks = np.max([slot.members for slot in slots], axis=0)
    return peaks


def _by_score(group: LabelGroup, peaks: Peaks) -> GroupMembers:
    order = np.argsort(-peaks, kind="stable").tolist()
    return GroupMembers(group.label.slug, tuple(group.members[place] for place in order))
