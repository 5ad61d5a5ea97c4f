"""Collar, intersection and PSDS say what sed_eval and sed_scores_eval say."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.evaluation.reference import CASES, LABELS, events_over, read_files
from trainer.evaluation.counts import Counts
from trainer.evaluation.event_metrics import collar_counts, count_pairs, event_metrics, score_events
from trainer.evaluation.psds import PSDS1, PSDS2, intersection_counts, psds

# sed_scores_eval's thresholds lie between scores, sed_eval's events are made with score > threshold


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_collar_counts_are_those_of_sed_eval(case: dict[str, Any]):
    files = read_files(case)
    for wanted in case["collar"]:
        found = [events_over(file, wanted["threshold"]) for file in files]
        score = score_events(
            found,
            [file.truth for file in files],
            LABELS,
            partial(collar_counts, collar_seconds=wanted["collar"]),
        )
        assert score.counts == {
            label: Counts(
                wanted["hits"][label], wanted["false_alarms"][label], wanted["misses"][label]
            )
            for label in LABELS
        }
        assert score.macro_f1 == pytest.approx(wanted["macro_f1"])
        assert score.micro_f1 == pytest.approx(wanted["micro_f1"])


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_intersection_f1_is_that_of_sed_scores_eval(case: dict[str, Any]):
    files = read_files(case)
    for wanted in case["intersection"]:
        found = [events_over(file, wanted["threshold"]) for file in files]
        truth = [file.truth for file in files]
        score = score_events(found, truth, LABELS, intersection_counts)
        f1 = {label: counts.f1 for label, counts in score.counts.items()}
        assert f1 == pytest.approx(wanted["f1"])


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_psds_is_that_of_sed_scores_eval(case: dict[str, Any]):
    files = read_files(case)
    for wanted in case["psds"]:
        rate = wanted["max_per_hour"]
        assert psds(files, LABELS, replace(PSDS1, max_per_hour=rate)) == pytest.approx(
            wanted["psds1"]
        )
        assert psds(files, LABELS, replace(PSDS2, max_per_hour=rate)) == pytest.approx(
            wanted["psds2"]
        )


def test_all_event_metrics_together():
    files = read_files(CASES[0])
    found = [events_over(file, 0.5) for file in files]
    metrics = event_metrics(files, found, LABELS)
    assert metrics.files == len(files)
    assert metrics.events == sum(len(file.truth) for file in files)
    assert list(metrics.collar) == [0.2, 0.5, 1.0]
    wanted = {w["collar"]: w["macro_f1"] for w in CASES[0]["collar"] if w["threshold"] == 0.5}
    assert {c: score.macro_f1 for c, score in metrics.collar.items()} == pytest.approx(wanted)
    assert metrics.psds1 == pytest.approx(CASES[0]["psds"][0]["psds1"])


def intervals(*pairs: tuple[float, float]):
    return np.array(pairs, np.float64).reshape(-1, 2)


@pytest.mark.parametrize(
    ("found", "hit"),
    [
        ((10.0, 12.0), True),
        ((10.5, 12.5), True),  # on the collar is within it
        ((10.51, 12.0), False),
        ((9.49, 12.0), False),
        ((10.0, 12.51), False),
        ((10.0, 11.49), False),
    ],
)
def test_onset_and_offset_must_be_within_the_collar(found: tuple[float, float], hit: bool):
    wanted = Counts(1, 0, 0) if hit else Counts(0, 1, 1)
    assert collar_counts(intervals(found), intervals((10.0, 12.0)), 0.5) == wanted


def test_the_offset_of_a_long_sound_may_be_off_by_a_fifth_of_its_length():
    truth = intervals((0.0, 10.0))
    assert collar_counts(intervals((0.0, 12.0)), truth, 0.5) == Counts(1, 0, 0)
    assert collar_counts(intervals((0.0, 12.01)), truth, 0.5) == Counts(0, 1, 1)
    assert collar_counts(intervals((0.51, 10.0)), truth, 0.5) == Counts(0, 1, 1)


def test_truth_is_found_once():
    twice = intervals((0.0, 1.0), (0.1, 1.1))
    assert collar_counts(twice, intervals((0.0, 1.0)), 0.5) == Counts(1, 1, 0)
    assert collar_counts(intervals((0.0, 1.0)), twice, 0.5) == Counts(1, 0, 1)


def test_nothing_found_and_nothing_there():
    nothing = intervals()
    assert collar_counts(nothing, nothing, 0.5) == Counts()
    assert collar_counts(nothing, intervals((0.0, 1.0)), 0.5) == Counts(0, 0, 1)
    assert collar_counts(intervals((0.0, 1.0)), nothing, 0.5) == Counts(0, 1, 0)


def test_the_first_makes_room_for_the_second():
    # taking the first that fits would leave the second row without
    assert count_pairs(np.array([[True, True], [True, False]])) == 2


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=4)
    )
)
def test_pairs_are_as_many_as_trying_everything_gives(rows: list[list[bool]]):
    possible = np.array(rows)
    wide = np.pad(possible, ((0, 0), (0, len(possible))))  # room for rows without a pair
    most = max(
        sum(bool(wide[row, column]) for row, column in enumerate(order))
        for order in permutations(range(wide.shape[1]), len(wide))
    )
    assert count_pairs(possible) == most
