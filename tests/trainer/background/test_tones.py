"""Generated tones are of all pitches, stand out of their noise, and are the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from listener.soundscape.synthesis import SAMPLE_RATE_HZ, silence, tone
from trainer.background.tones import SECONDS, generate_tones, strongest_pitches

COUNT = 40


def strongest_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum) * SAMPLE_RATE_HZ / len(samples))


def test_the_same_seed_gives_the_same_and_more_begin_alike():
    first, again, more = generate_tones(3, 1), generate_tones(3, 1), generate_tones(5, 1)
    for one, other, third in zip(first, again, more, strict=False):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)
    assert not np.array_equal(first[0], generate_tones(1, 2)[0])


def test_all_are_as_long_and_none_is_clipped():
    for samples in generate_tones(COUNT, 0):
        assert samples.dtype == np.float32
        assert len(samples) == SECONDS * SAMPLE_RATE_HZ
        assert np.abs(samples).max() < 1.0


def test_low_and_high_pitches_are_there_and_louder_than_the_noise():
    sounds = generate_tones(COUNT, 0)
    pitches = [strongest_hz(each) for each in sounds]
    assert min(pitches) < 500.0
    assert max(pitches) > 2_000.0
    for samples in sounds:
        spectrum = np.abs(np.fft.rfft(samples))
        assert spectrum.max() > 10 * np.median(spectrum)


def test_the_pitches_of_a_melody_are_found_the_strongest_first():
    sounds = [np.concatenate((tone([700.0], 1.0), 0.5 * tone([1900.0], 1.0)))] * 2
    assert strongest_pitches(sounds) == pytest.approx([700.0, 1900.0], rel=0.01)


def test_silence_and_a_short_click_are_no_trouble():
    assert strongest_pitches([silence(1.0)]) == []
    assert strongest_pitches([np.ones(10, np.float32)]) != []


def test_with_pitches_all_are_beeps_of_these():
    for samples in generate_tones(COUNT, 0, [1000.0]):
        harmonic = strongest_hz(samples) / 1000.0
        assert harmonic == pytest.approx(round(harmonic), rel=0.07)
