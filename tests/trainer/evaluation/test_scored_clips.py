"""Conditions: what is done to clips, and that it is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from trainer.evaluation.scored_clips import judge_condition, score_condition, standard_conditions
from trainer.evaluation.scoring import open_scorer

CONDITIONS = standard_conditions(16_000)
TONE = (0.1 * np.sin(2 * np.pi * 500 * np.arange(32_000) / 16_000)).astype(np.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def power(samples) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))


def test_conditions_are_the_same_for_every_evaluation():
    names = [(each.name, each.strength) for each in CONDITIONS]
    snrs = (20.0, 10.0, 5.0, 0.0, -5.0)
    assert names == [
        ("clean", None),
        *(("pink noise", snr) for snr in snrs),
        *(("blue noise", snr) for snr in snrs),
        ("reverb", 0.6),
        ("gain", -20.0),
        ("gain", -10.0),
        ("gain", 10.0),
        *(("low-pass", hz) for hz in (5_500.0, 4_000.0, 3_400.0, 2_700.0)),
    ]


@pytest.mark.parametrize("condition", [c for c in CONDITIONS if "noise" in c.name])
def test_noise_has_the_ratio_that_it_says(condition):
    noise = condition.change(TONE, rng()) - TONE
    assert 10 * np.log10(power(TONE) / power(noise)) == pytest.approx(condition.strength, abs=0.01)


def test_unseen_noise_rises_with_frequency_and_seen_noise_falls():
    for name, higher in (("pink noise", False), ("blue noise", True)):
        condition = next(each for each in CONDITIONS if each.name == name)
        spectrum = np.abs(np.fft.rfft(condition.change(TONE, rng()) - TONE)) ** 2
        low, high = spectrum[200:4000].mean(), spectrum[-4000:-200].mean()
        assert (high > low) == higher


def test_gain_and_clean():
    by_strength = {each.strength: each for each in CONDITIONS if each.name == "gain"}
    assert by_strength[-20.0].change(TONE, rng()) == pytest.approx(TONE / 10)
    assert CONDITIONS[0].change(TONE, rng()) is TONE


@pytest.mark.parametrize("condition", [c for c in CONDITIONS if c.name == "low-pass"])
def test_a_low_pass_leaves_what_is_under_its_limit_and_nothing_above(condition):
    noise = rng().normal(0.0, 0.1, 32_000).astype(np.float32)
    before, after = (
        np.abs(np.fft.rfft(samples * np.hanning(32_000))) ** 2
        for samples in (noise, condition.change(noise, rng()))
    )
    limit = round(condition.strength * 2)  # bins of half a hertz
    assert after[: round(0.9 * limit)].mean() == pytest.approx(
        before[: round(0.9 * limit)].mean(), rel=0.01
    )
    assert after[round(1.05 * limit) :].mean() < 1e-5 * before.mean()


def test_a_clip_scores_the_same_each_time(tones_bundle: Bundle):
    scorer = open_scorer(tones_bundle)
    noisy = CONDITIONS[1]
    scores = score_condition(scorer, noisy, TONE, 3)
    assert scores.shape == (3,)
    assert np.array_equal(scores, score_condition(scorer, noisy, TONE, 3))
    assert not np.array_equal(scores, score_condition(scorer, noisy, TONE, 4))


def test_a_condition_is_judged_as_clips_are():
    targets = np.eye(2, dtype=np.bool_)
    scores = np.array([[0.9, 0.1], [0.8, 0.2]], np.float32)
    result = judge_condition(CONDITIONS[1], targets, scores, ("a", "b"))
    assert (result.condition, result.strength, result.accuracy) == ("pink noise", 20.0, 0.5)
