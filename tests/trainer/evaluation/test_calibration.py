"""Policies for a bundle within a budget, and what may be claimed."""

from __future__ import annotations

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.clip import LabelSpan
from trainer.evaluation.calibration import calibrate_bundle
from trainer.evaluation.operating_points import Grid
from trainer.evaluation.scored_file import ScoredFile

GRID = Grid((0.0,), (0.1, 0.3, 0.5, 0.7, 0.9), (1.0, 0.5), (0.0,), (0.0,))


def make_file(hours: float, rows: dict[int, tuple[float, float, float]], *truth: LabelSpan):
    """Slots of 0.48 s of silence, but for some rows of low_tone, high_tone and noise."""
    scores = np.zeros((round(hours * 7500), 3), np.float32)
    for row, values in rows.items():
        scores[row] = values
    return ScoredFile("x", scores, np.arange(len(scores) + 1, dtype=np.float64) * 0.48, truth)


def spans(label: str, *rows: int) -> tuple[LabelSpan, ...]:
    return tuple(LabelSpan(label, row * 0.48, (row + 1) * 0.48) for row in rows)


VALIDATION = make_file(
    0.01,
    {5: (0.8, 0.2, 0.0), 20: (0.0, 0.8, 0.0), 40: (0.4, 0.0, 0.0)},
    *spans("low_tone", 5, 40),
    *spans("high_tone", 20),
)


def test_each_label_has_its_policy_and_the_budget_is_shared(tones_bundle: Bundle):
    ambient = make_file(24.0, {1000: (0.5, 0.0, 0.0), 9000: (0.5, 0.0, 0.0)})
    found = calibrate_bundle(tones_bundle, [VALIDATION], [ambient], 2.0, grid=GRID)
    # one a day each: 0.4 would find both low tones, but ambient audio reaches 0.5 twice
    assert found.policies["low_tone"].on_threshold > 0.5
    assert 0.2 < found.policies["high_tone"].on_threshold <= 0.8
    points = {finding.label: finding.point for finding in found.findings}
    assert points["low_tone"] is not None
    assert points["low_tone"].counts.recall == 0.5
    assert found.ambient is not None
    assert (found.ambient.alarms, round(found.ambient.hours)) == (0, 24)


def test_a_label_that_validation_never_heard_keeps_its_policy(tones_bundle: Bundle):
    ambient = make_file(1.0, {100: (0.0, 0.0, 0.9), 101: (0.0, 0.0, 0.9)})
    found = calibrate_bundle(tones_bundle, [VALIDATION], [ambient], 2.0, grid=GRID)
    assert found.policies["noise"] == tones_bundle.manifest.policies["noise"]
    assert found.findings[2].ambient is not None
    assert found.findings[2].ambient.alarms == 1
    assert "noise: not heard in the validation audio, its policy stays" in found.remarks[-1]


def test_short_ambient_audio_allows_no_claim(tones_bundle: Bundle):
    found = calibrate_bundle(tones_bundle, [VALIDATION], [make_file(1.0, {})], 1.0, grid=GRID)
    assert not found.claimed
    assert found.remarks[0] == (
        "0 alarms in 1.00 h of ambient audio allow to claim at most 71.9 false alarms a day (95 %), "
        "not 1; 71.9 h without an alarm would be needed"
    )
    long = calibrate_bundle(tones_bundle, [VALIDATION], [make_file(80.0, {})], 1.0, grid=GRID)
    assert long.claimed
    assert not any("claim" in remark for remark in long.remarks)


def test_without_ambient_audio_nothing_is_known(tones_bundle: Bundle):
    found = calibrate_bundle(tones_bundle, [VALIDATION], [], 1.0, grid=GRID)
    assert (found.ambient, found.claimed) == (None, False)
    assert found.remarks[0].startswith("no ambient audio: nothing is known of false alarms")


def test_a_budget_that_cannot_be_kept_is_told(tones_bundle: Bundle):
    loud = make_file(1.0, dict.fromkeys(range(0, 7500, 10), (1.0, 0.0, 0.0)))
    found = calibrate_bundle(tones_bundle, [VALIDATION], [loud], 1.0, grid=GRID)
    assert any(r.startswith("low_tone: no policy keeps to the budget") for r in found.remarks)


@pytest.mark.parametrize(("files", "budget"), [([], 1.0), ([VALIDATION], 0.0)])
def test_wrong_use_is_refused(tones_bundle: Bundle, files: list[ScoredFile], budget: float):
    with pytest.raises(ValueError, match="expected over 0 false alarms a day and validation audio"):
        calibrate_bundle(tones_bundle, files, [], budget)
