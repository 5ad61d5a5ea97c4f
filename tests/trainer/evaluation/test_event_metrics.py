"""Collar, intersection and PSDS say what sed_eval and sed_scores_eval say."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.trainer.evaluation.reference import CASES, LABELS, events_over, read_files
from trainer.evaluation.collar import collar_counts
from trainer.evaluation.counts import Counts
from trainer.evaluation.event_metrics import event_metrics, score_events
from trainer.evaluation.intersection import intersection_counts
from trainer.evaluation.psds import PSDS1, PSDS2, psds

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
