"""What a station listens for: which labels count, which are missing, which nothing is known of."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluation.asked import is_asked, missing_labels, unproven_labels
from trainer.evaluation.regression import RegressionSet

LABELS = ("dog", "cat", "rain")
NOBODY_SAID = frozenset[str]()


def held_out(*heard: str) -> RegressionSet:
    """A clip of each, of one patch."""
    targets = np.array([[label == each for label in LABELS] for each in heard], np.bool_)
    patches = np.zeros((len(heard), 96, 64), np.float16)
    return RegressionSet(LABELS, patches, np.arange(len(heard)), targets, np.ones_like(targets))


def test_all_labels_count_where_nobody_said_which():
    assert [is_asked(label, NOBODY_SAID) for label in LABELS] == [True] * 3
    assert [is_asked(label, frozenset({"cat"})) for label in LABELS] == [False, True, False]


def test_what_is_missing_is_named_in_order():
    assert missing_labels(LABELS, frozenset({"owl", "dog", "bat"})) == ["bat", "owl"]
    assert missing_labels(LABELS, NOBODY_SAID) == []


@pytest.mark.parametrize(
    ("asked", "clips", "unproven"),
    [
        (NOBODY_SAID, None, LABELS),
        (NOBODY_SAID, held_out("dog"), ()),
        (frozenset({"dog", "cat"}), held_out("dog", "rain"), ("cat",)),
        (frozenset({"dog"}), held_out("dog"), ()),
        (frozenset({"dog"}), None, ("dog",)),
        (frozenset({"whistle"}), None, ()),  # it is new
    ],
)
def test_each_label_that_is_asked_for_needs_a_clip(
    asked: frozenset[str], clips: RegressionSet | None, unproven: tuple[str, ...]
):
    assert unproven_labels(LABELS, asked, clips) == unproven
