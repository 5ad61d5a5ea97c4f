"""Scenes: the truth is where the sound is."""

from __future__ import annotations

import numpy as np
import pytest

from listener.soundscape.synthesis import SAMPLE_RATE_HZ
from trainer.evaluation.scenes import Recording, ScenePlan, active_segments, make_scenes


def tone(seconds: float, amplitude: float = 0.5):
    time = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (amplitude * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)


def silence(seconds: float):
    return tone(seconds, 0.0)


def lengths(samples, pause_seconds: float = 0.5, longest: float = 5.0) -> list[float]:
    return [len(part) / SAMPLE_RATE_HZ for part in active_segments(samples, longest, pause_seconds)]


def test_what_is_heard_without_the_silence_around_it():
    assert lengths(np.concatenate([silence(1), tone(0.6), silence(2)])) == [0.6]


def test_a_long_pause_parts_and_a_short_one_does_not():
    samples = np.concatenate([tone(0.5), silence(0.4), tone(0.5), silence(1.0), tone(1.0)])
    assert lengths(samples) == [1.4, 1.0]
    assert lengths(samples, pause_seconds=2.0) == [3.4]


def test_too_soft_too_short_and_too_long():
    soft = np.concatenate([tone(1.0), silence(1.0), tone(1.0, 0.01)])
    assert lengths(soft) == [1.0]
    assert lengths(np.concatenate([tone(0.1), silence(1.0), tone(1.0)])) == [1.0]
    assert lengths(tone(9.0), longest=5.0) == [5.0]
    assert lengths(silence(1.0)) == []
    assert lengths(silence(0.0)) == []


def test_truth_is_where_the_sound_is():
    """A tone at least 20 dB over the noise: loud frames are those of the truth."""
    plan = ScenePlan(events=(1, 1), snr_db=(20.0, 25.0))
    for scene in make_scenes([Recording("tone", tone(2.0))], 5, seed=1, plan=plan):
        assert len(scene.samples) == 30 * SAMPLE_RATE_HZ
        [placed] = scene.truth
        power = np.square(scene.samples).reshape(-1, 160).mean(axis=1)
        loud = np.flatnonzero(power > np.median(power) * 10)
        assert loud[0] / 100 == pytest.approx(placed.onset, abs=0.02)
        assert (loud[-1] + 1) / 100 == pytest.approx(placed.offset, abs=0.02)


def test_the_same_seed_gives_the_same_scenes_and_more_scenes_begin_alike():
    recordings = [Recording("tone", tone(1.0)), Recording("other", tone(0.5))]
    few, many = make_scenes(recordings, 2, seed=3), make_scenes(recordings, 4, seed=3)
    assert [scene.truth for scene in few] == [scene.truth for scene in many[:2]]
    assert np.array_equal(few[1].samples, many[1].samples)
    assert not np.array_equal(few[0].samples, make_scenes(recordings, 1, seed=4)[0].samples)


def test_sounds_of_one_label_do_not_overlap():
    plan = ScenePlan(events=(4, 4))
    for scene in make_scenes([Recording("tone", tone(3.0))], 10, seed=0, plan=plan):
        times = [time for placed in scene.truth for time in (placed.onset, placed.offset)]
        assert times == sorted(times)


def test_recordings_without_sound_are_refused():
    with pytest.raises(ValueError, match="expected recordings with sound, got 1 without"):
        make_scenes([Recording("tone", silence(1.0))], 1, seed=0)
