"""Alarms in noise and ambient audio, with a bundle whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.policy import LabelPolicy
from trainer.evaluation.alarms import ambient_alarms, noise_alarms
from trainer.evaluation.scoring import open_scorer, score_file
from trainer.evaluation.spans import ScoredFile

POLICY = LabelPolicy(0.5, 0.5, 0.0)


def test_noise_raises_the_label_that_hears_noise_and_no_other(tones_bundle: Bundle):
    """The bundle hears noise from -60 dBFS (0.001) on not, at -40 dBFS (0.01) surely."""
    scorer = open_scorer(tones_bundle)
    found = noise_alarms(scorer, tones_bundle.manifest.policies, seconds=5.0)
    assert [(each.sound, each.level_dbfs) for each in found][:4] == [
        ("silence", -120.0),
        ("white noise", -60.0),
        ("white noise", -40.0),
        ("white noise", -20.0),
    ]
    assert [dict(each.events) for each in found[:4]] == [{}, {}, {"noise": 1}, {"noise": 1}]
    assert len(found) == 1 + 3 * 3


def test_labels_that_are_right_in_noise_are_ignored(tones_bundle: Bundle):
    scorer = open_scorer(tones_bundle)
    policies = tones_bundle.manifest.policies
    found = noise_alarms(scorer, policies, seconds=5.0, ignored={"noise"})
    assert [dict(each.events) for each in found[:4]] == [{}] * 4


def test_ambient_alarms_are_counted_by_label():
    """Half an hour; two events of a, one of b."""
    scores = np.zeros((1800, 2), np.float32)
    scores[[10, 11, 500], 0] = 0.9
    scores[20, 1] = 0.6
    file = ScoredFile("x", scores, np.arange(1801, dtype=np.float64))
    found = ambient_alarms([file], {"a": POLICY, "b": POLICY}, 1.0)
    assert (found.total.alarms, found.total.hours, found.total.per_hour) == (3, 0.5, 6.0)
    assert {label: rate.alarms for label, rate in found.labels.items()} == {"a": 2, "b": 1}


def test_scores_and_slots_of_a_waveform(tones_bundle: Bundle):
    time = np.arange(48_000) / 16_000
    tone = (0.5 * np.sin(2 * np.pi * 500 * time)).astype(np.float32)
    file = score_file(open_scorer(tones_bundle), tone, "tone.wav")
    assert file.scores.shape == (6, 3)
    assert (file.scores[:5].argmax(axis=1) == 0).all()
    assert (file.boundaries[0], file.boundaries[-1]) == (0.0, 3.0)
    assert file.seconds == pytest.approx(3.0)
