"""A group's score is the highest of its members'; it has an event where any of them has one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from listener.detection.hysteresis import detect_events
from listener.detection.labels import LabelColumns, PrivateScores, most_sensitive
from listener.detection.policy import LabelPolicy

HOP_SECONDS = 0.5

SCORES = arrays(np.float32, (7, 6), elements=st.floats(0, 1, width=32))
GROUPS = st.lists(
    st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True), min_size=1, max_size=8
)


def test_known_answers():
    scores = np.array([[0.1, 0.9, 0.3, 0.5], [0.8, 0.0, 0.2, 0.4]], np.float32)
    columns = LabelColumns.of([[3, 0], [2], [1, 2]])
    wanted = np.array([[0.5, 0.3, 0.9], [0.8, 0.2, 0.2]], np.float32)
    np.testing.assert_array_equal(columns.scores_of(scores), wanted)


@given(SCORES, GROUPS)
def test_a_groups_score_is_the_highest_of_its_members_and_no_other_number(
    scores: NDArray[np.float32], groups: list[list[int]]
):
    found = LabelColumns.of(groups).scores_of(scores)
    for column, members in enumerate(groups):
        expected = [max(row[member] for member in members) for row in scores.tolist()]
        assert found[:, column].tolist() == expected
    assert found.dtype == np.float32


@given(SCORES, st.permutations(range(6)))
def test_groups_of_one_are_the_members_themselves(scores: NDArray[np.float32], order: list[int]):
    columns = LabelColumns.of([[member] for member in order])
    assert columns.starts is None  # and costs what it did without groups
    np.testing.assert_array_equal(columns.scores_of(scores), scores[:, order])


def test_a_groups_policy_is_the_most_sensitive_of_its_members():
    calm = LabelPolicy(0.8, 0.6, 2.4, min_duration_seconds=1.0, max_gap_seconds=0.0)
    nervous = LabelPolicy(0.4, 0.2, 1.44, max_gap_seconds=3.0, refractory_seconds=5.0)
    assert most_sensitive([calm, nervous]) == LabelPolicy(0.4, 0.2, 1.44, 0.0, 3.0, 0.0)
    assert most_sensitive([calm]) == calm


def policies() -> st.SearchStrategy[LabelPolicy]:
    thresholds = st.tuples(st.floats(0.05, 1), st.floats(0.05, 1))
    return thresholds.map(lambda pair: LabelPolicy(max(pair), min(pair), smoothing_seconds=1.5))


@settings(max_examples=200)
@given(arrays(np.float32, (12, 3), elements=st.floats(0, 1, width=32)), st.data())
def test_while_a_member_has_an_event_so_has_the_group(
    scores: NDArray[np.float32], data: st.DataObject
):
    members = {name: data.draw(policies()) for name in "abc"}
    grouped = LabelColumns.of([[0, 1, 2]]).scores_of(scores)
    boundaries = np.arange(13, dtype=np.float64) * np.float64(HOP_SECONDS)
    of_group = detect_events(
        grouped, boundaries, {"group": most_sensitive(members.values())}, HOP_SECONDS
    )
    for event in detect_events(scores, boundaries, members, HOP_SECONDS):
        assert any(
            other.onset <= event.onset and event.offset <= other.offset  # type: ignore[operator]
            for other in of_group
        )


@pytest.mark.parametrize("members", [[[1, 4], [0]], [[2], [0, 1, 2, 3, 4]]])
def test_a_group_has_no_score_that_the_model_did_not_give(members: list[list[int]]):
    scores = np.linspace(0, 1, 10, dtype=np.float32).reshape(2, 5)
    assert set(LabelColumns.of(members).scores_of(scores).ravel()) <= set(scores.ravel())


def test_any_private_label_that_passes_its_threshold_is_heard():
    private = PrivateScores(np.array([0, 2]), np.array([0.5, 0.25], np.float32))
    scores = np.array(
        [[0.4, 0.9, 0.2], [0.5, 0.0, 0.0], [0.0, 0.0, 0.25], [0.6, 0.0, 0.6]], np.float32
    )
    assert private.heard(scores).tolist() == [False, True, True, True]


def test_without_private_labels_nobody_is_heard():
    nobody = PrivateScores(np.array([], np.intp), np.array([], np.float32))
    assert nobody.heard(np.ones((3, 4), np.float32)).tolist() == [False] * 3
