"""High-pass and mean square of a frame, by arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.log_mel import (
    MagnitudeSpectrum,
    low_frequency_basis,
    mean_square_weights,
    mel_matrix,
    stft_frames,
)
from listener.detection.params import FeatureParams, Preprocessing
from tests.listener.detection.waveforms import noise, silence, sine

PARAMS = FeatureParams()


def high_pass(hz: float) -> FeatureParams:
    return FeatureParams(preprocessing=Preprocessing(high_pass_hz=hz))


def magnitudes_of(samples: Samples, params: FeatureParams = PARAMS) -> NDArray[np.float32]:
    spectrum = MagnitudeSpectrum(params)
    return np.array([spectrum(frame[None])[0].copy() for frame in stft_frames(samples, params)])


def lost_db(samples: Samples, cutoff_hz: float) -> float:
    """How much softer the high-pass makes the frames, over their whole spectrum."""
    before, after = (
        np.square(magnitudes_of(samples, params)).sum() for params in (PARAMS, high_pass(cutoff_hz))
    )
    return float(10 * np.log10(before / after))


@pytest.mark.parametrize("share", [0.5, 0.75, 1.0])
@pytest.mark.parametrize("cutoff_hz", [100.0, 150.0, 300.0, 1_000.0])
def test_what_is_under_the_cutoff_is_removed(cutoff_hz: float, share: float):
    samples = sine(share * cutoff_hz, 1.0)
    assert lost_db(samples, cutoff_hz) > 35


@pytest.mark.parametrize("cutoff_hz", [60.0, 150.0, 300.0, 1_000.0])
def test_what_is_over_the_cutoff_is_kept(cutoff_hz: float):
    """A frame of 25 ms cannot separate frequencies that are less than 40 to 80 Hz apart."""
    assert lost_db(sine(cutoff_hz + 80.0, 1.0), cutoff_hz) == pytest.approx(0.0, abs=1.0)
    assert lost_db(sine(4_000.0, 1.0), cutoff_hz) == pytest.approx(0.0, abs=0.01)


def test_a_hum_is_removed_and_a_tone_in_it_stays():
    """A hum of 50 Hz leaks into the mel bands, though these begin at 125 Hz."""
    hum, tone = sine(50, 1.0, 0.5), sine(1_000, 1.0, 0.01)
    mel = mel_matrix(PARAMS)
    plain, filtered = (
        magnitudes_of(hum + tone, params).max(axis=0) @ mel for params in (PARAMS, high_pass(120.0))
    )
    bands_of_tone = np.argsort(mel[32])[-2:]  # bin 32 of 31.25 Hz
    expected = magnitudes_of(tone).max(axis=0) @ mel
    assert (plain / filtered)[:6].min() > 5  # 14 dB
    assert filtered[bands_of_tone] == pytest.approx(expected[bands_of_tone], rel=0.01)


@pytest.mark.parametrize("hz", [300.0, 1_000.0, 7_000.0])
def test_the_mean_square_of_a_sine_is_half_its_amplitude_squared(hz: float):
    power = np.square(magnitudes_of(sine(hz, 1.0, 0.2)))
    assert power @ mean_square_weights(PARAMS) == pytest.approx(0.5 * 0.2**2, rel=0.01)


def test_the_mean_square_of_white_noise_is_its_share_within_the_mel_bands():
    """125 to 7500 Hz of 0 to 8000."""
    power = np.square(magnitudes_of(noise(160_000, rms=0.1)))
    mean = (power @ mean_square_weights(PARAMS)).mean()
    assert mean == pytest.approx(0.1**2 * 7_375 / 8_000, rel=0.03)


def test_what_no_mel_band_covers_has_no_level():
    """A constant, as of a bad sound card, of -6 dBFS, and a sine over the last band, of -3."""
    weights = mean_square_weights(PARAMS)
    for samples in (silence(1.0) + np.float32(0.5), sine(7_800, 1.0)):
        assert (np.square(magnitudes_of(samples)) @ weights).max() < 1e-4  # -40 dBFS


def test_the_basis_is_orthonormal_and_there_is_none_without_a_high_pass():
    basis = low_frequency_basis(high_pass(150.0))
    assert basis is not None
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-6)
    assert low_frequency_basis(PARAMS) is None
