"""Noises have the slope of their colour; knocks and clicks are short, with pauses between them."""

from __future__ import annotations

import numpy as np
import pytest

from listener.soundscape.synthesis import brown_noise, clicks, knocks, pink_noise, white_noise
from tests.listener.soundscape.spectra import band_power


@pytest.mark.parametrize(
    ("noise", "ratio"),
    # power of 2 to 4 kHz over that of 1 to 2 kHz: twice the width; equal; 6 dB less a hertz
    [(white_noise, 2.0), (pink_noise, 1.0), (brown_noise, 0.5)],
)
def test_the_slope_is_that_of_the_colour(noise, ratio):
    samples = noise(20.0, np.random.default_rng(0))
    octaves = band_power(samples, 2000, 4000) / band_power(samples, 1000, 2000)
    assert octaves == pytest.approx(ratio, rel=0.05)


@pytest.mark.parametrize("noise", [white_noise, pink_noise, brown_noise])
def test_rms_is_a_quarter_and_the_mean_is_zero(noise):
    samples = noise(3.0, np.random.default_rng(0))
    assert np.sqrt(np.mean(np.square(samples))) == pytest.approx(0.25, rel=1e-4)
    assert samples.mean() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("noise", [pink_noise, brown_noise])
def test_a_long_noise_is_as_loud_in_the_audible_range_as_a_short_one(noise):
    short, long = (noise(seconds, np.random.default_rng(0)) for seconds in (2.0, 60.0))
    shares = [band_power(sound, 20, 8000) / band_power(sound, 0, 8000) for sound in (short, long)]
    assert shares[1] == pytest.approx(shares[0], rel=0.15)


@pytest.mark.parametrize("strokes", [knocks, clicks])
def test_strokes_are_short_and_leave_pauses(strokes):
    samples = strokes(10.0, np.random.default_rng(0))
    frames = np.abs(samples.reshape(-1, 320)).max(axis=1)  # 20 ms each
    assert 0.1 < np.abs(samples).max() <= 1.0
    assert (frames < 1e-2).mean() > 0.5
    # 0.15 to 0.6 s apart: 17 to 67 in 10 s
    onsets = np.sum((frames[1:] > 0.03) & (frames[:-1] < 0.03))
    assert 15 < onsets < 70
