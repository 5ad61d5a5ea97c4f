"""Gain, shift, speed, pitch and reverb do what their names say, by arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.augment.vocoder import stretch_time
from trainer.augment.waveform import (
    add_reverb,
    change_gain,
    change_speed,
    shift_pitch,
    shift_time,
)

RATE_HZ = 16_000


def sine(hz: float, seconds: float = 1.0):
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.sin(2 * np.pi * hz * time).astype(np.float32)


def loudest_hz(samples) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4] * np.hanning(
        len(samples[len(samples) // 4 : -len(samples) // 4])
    )
    return float(np.abs(np.fft.rfft(middle)).argmax() * RATE_HZ / len(middle))


def test_twenty_decibels_are_a_factor_of_ten():
    louder = change_gain(np.array([0.1, -0.5], np.float32), 20.0)
    np.testing.assert_allclose(louder, [1.0, -5.0], rtol=1e-6)
    assert louder.dtype == np.float32


def test_a_shift_brings_the_end_to_the_beginning():
    np.testing.assert_array_equal(shift_time(np.arange(4.0, dtype=np.float32), 1), [3, 0, 1, 2])


def test_twice_the_speed_is_half_the_length_and_an_octave_up():
    faster = change_speed(sine(500.0), 2.0)
    assert len(faster) == RATE_HZ // 2
    assert loudest_hz(faster) == pytest.approx(1000.0, abs=4.0)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5, 2.0])
def test_stretching_keeps_pitch_and_level(factor: float):
    stretched = stretch_time(sine(1000.0), factor)
    assert len(stretched) == round(RATE_HZ * factor)
    assert loudest_hz(stretched) == pytest.approx(1000.0, abs=4.0)
    middle = stretched[2000:-2000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(np.sqrt(0.5), rel=0.15)


@pytest.mark.parametrize(("semitones", "hz"), [(12.0, 1000.0), (-12.0, 250.0), (0.0, 500.0)])
def test_an_octave_is_twelve_semitones_at_the_same_length(semitones: float, hz: float):
    shifted = shift_pitch(sine(500.0), semitones)
    assert len(shifted) == RATE_HZ
    assert shifted.dtype == np.float32
    assert loudest_hz(shifted) == pytest.approx(hz, abs=4.0)


def test_a_click_rings_and_falls_by_sixty_decibels_in_rt60():
    click = np.zeros(RATE_HZ, np.float32)
    click[0] = 1.0
    wet = add_reverb(click, 0.5, 0.0, RATE_HZ, np.random.default_rng(0))
    assert wet[0] == 1.0
    assert np.sum(wet[1:] ** 2) == pytest.approx(1.0, rel=1e-3)
    early, late = (np.mean(wet[at : at + 400] ** 2) for at in (100, 4100))
    # 4000 samples are 0.25 s, half of rt60
    assert 10 * np.log10(early / late) == pytest.approx(30.0, abs=2.0)


def test_the_ratio_of_direct_to_reverb_is_of_energies():
    click = np.zeros(RATE_HZ, np.float32)
    click[0] = 1.0
    wet = add_reverb(click, 0.3, 20.0, RATE_HZ, np.random.default_rng(0))
    assert np.sum(wet[1:] ** 2) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: change_speed(sine(500.0), 0.0), "speed: expected a factor above 0, got 0.0"),
        (lambda: stretch_time(sine(500.0), -1.0), "stretch: expected a factor above 0"),
        (
            lambda: add_reverb(sine(500.0), 0.0, 0.0, RATE_HZ, np.random.default_rng(0)),
            "rt60: expected at least two samples",
        ),
    ],
)
def test_impossible_strengths_are_refused(call, message: str):
    with pytest.raises(ValueError, match=message):
        call()
