"""Noise lies as far below the clip as asked; silence has no ratio."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.augment.noise import add_background, add_coloured_noise, add_noise

RATE_HZ = 16_000
ONES = np.ones(1000, np.float32)
ALTERNATING = np.tile(np.array([1.0, -1.0], np.float32), 500)


@pytest.mark.parametrize(("snr_db", "amplitude"), [(0.0, 1.0), (20.0, 0.1), (-20.0, 10.0)])
def test_the_noise_is_scaled_to_the_ratio(snr_db: float, amplitude: float):
    noisy = add_noise(ONES, 0.5 * ALTERNATING, snr_db)
    np.testing.assert_allclose(noisy - ONES, amplitude * ALTERNATING, rtol=1e-5)
    assert noisy.dtype == np.float32


@pytest.mark.parametrize(("clip", "noise"), [(0 * ONES, ONES), (ONES, 0 * ONES)])
def test_without_sound_there_is_no_ratio(clip, noise):
    np.testing.assert_array_equal(add_noise(clip, noise, 0.0), clip)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"noise: expected \(1000,\), got \(999,\)"):
        add_noise(ONES, ONES[:-1], 0.0)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_coloured_noise_has_its_level_and_its_slope(exponent: float):
    rng = np.random.default_rng(0)
    clip = np.ones(4 * RATE_HZ, np.float32)
    noise = add_coloured_noise(clip, 10.0, exponent, rng) - clip
    assert 10 * np.log10(np.mean(noise**2)) == pytest.approx(-10.0, abs=0.1)
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(len(noise), 1 / RATE_HZ)
    low, high = (power[(hz > edge) & (hz < 2 * edge)].mean() for edge in (100, 3200))
    # five octaves apart: 3.01 dB each for an exponent of 1
    assert 10 * np.log10(low / high) == pytest.approx(15.05 * exponent, abs=1.5)


def test_no_samples_stay_none():
    assert len(add_coloured_noise(ONES[:0], 0.0, 1.0, np.random.default_rng(0))) == 0


def test_a_short_background_is_repeated_from_a_random_place():
    background = np.array([1.0, -1.0, -1.0, 1.0], np.float32)
    noise = add_background(ONES, background, 0.0, np.random.default_rng(3)) - ONES
    starts = [np.resize(np.roll(background, -start), 1000) for start in range(4)]
    assert any(np.allclose(noise, start, rtol=1e-4) for start in starts)


def test_an_empty_background_is_refused():
    with pytest.raises(ValueError, match="background: expected at least one sample, got none"):
        add_background(ONES, ONES[:0], 0.0, np.random.default_rng(0))
