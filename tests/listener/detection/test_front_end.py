"""Level normalisation: a patch is as loud as another, silence stays silence, live is offline."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.features import PatchStream, log_mel_patches
from listener.detection.front_end import LevelledFrames, LogMelFrames, make_front_end
from listener.detection.params import FeatureParams, Preprocessing
from tests.listener.detection.waveforms import RATE_HZ, cut, noise, silence, sine

PREPROCESSING = [
    Preprocessing(high_pass_hz=150.0),
    Preprocessing(level_dbfs=-20.0),
    Preprocessing(high_pass_hz=300.0, level_dbfs=-10.0, max_gain_db=6.0),
]
PLAIN = FeatureParams()
LEVELLED = FeatureParams(preprocessing=Preprocessing(level_dbfs=-20.0))


def gain_db(samples: Samples, params: FeatureParams) -> NDArray[np.float64]:
    """What was made of each patch, by a band that is far over the offset of the log."""
    changed, plain = log_mel_patches(samples, params), log_mel_patches(samples, PLAIN)
    band = plain.mean(axis=(0, 1)).argmax()
    gains: NDArray[np.float64] = 20 / np.log(10) * (changed - plain)[:, :, band].mean(axis=1)
    return gains


def test_nothing_is_done_unless_it_is_asked_for():
    assert isinstance(make_front_end(PLAIN), LogMelFrames)
    assert isinstance(make_front_end(LEVELLED), LevelledFrames)


def test_a_patch_comes_to_the_level():
    """A sine of amplitude 0.1 has -23.01 dBFS."""
    tone = sine(1_000, 0.975, 0.1)
    assert gain_db(tone, LEVELLED) == pytest.approx([3.01], abs=0.1)


def test_twenty_decibels_softer_is_the_same():
    loud = noise(2 * RATE_HZ, rms=0.1)
    soft = (loud / 10).astype(np.float32)
    same, plain = (
        np.abs(log_mel_patches(loud, params) - log_mel_patches(soft, params)).max()
        for params in (LEVELLED, PLAIN)
    )
    assert same < 1e-4
    assert plain > 2.2  # ln(10) is 2.3


@pytest.mark.parametrize(("amplitude", "wanted_db"), [(1e-3, 30.0), (1.0, -16.99)])
def test_the_gain_is_bounded(amplitude: float, wanted_db: float):
    """-63 dBFS is 43 dB under the level, of which 30 are made good; -3 dBFS comes down all the way."""
    tone = sine(1_000, 0.975, amplitude)
    mel = np.exp(log_mel_patches(tone, PLAIN)) - PLAIN.log_offset
    levelled = np.exp(log_mel_patches(tone, LEVELLED)) - PLAIN.log_offset
    ratio_db = 20 * np.log10(levelled.max() / mel.max())
    assert ratio_db == pytest.approx(wanted_db, abs=0.1)


def test_the_bound_holds_downwards_too():
    params = FeatureParams(preprocessing=Preprocessing(level_dbfs=-40.0, max_gain_db=6.0))
    assert gain_db(sine(1_000, 0.975, 0.5), params) == pytest.approx([-6.0], abs=0.1)


def test_silence_stays_silence():
    assert log_mel_patches(silence(2.0), LEVELLED) == pytest.approx(np.log(0.001))


def test_each_patch_has_a_gain_of_its_own():
    """A whole patch of -43 dBFS, one whose second half is 20 dB louder, one that is loud."""
    step = np.concatenate((sine(1_000, 0.975, 0.01), sine(1_000, 0.96, 0.1)))
    mel = np.exp(log_mel_patches(step, LEVELLED)) - PLAIN.log_offset
    plain = np.exp(log_mel_patches(step, PLAIN)) - PLAIN.log_offset
    gains_db = 20 * np.log10((mel / plain)[:, -1].max(axis=1))
    assert gains_db == pytest.approx([23.01, 5.98, 3.01], abs=0.2)


@pytest.mark.parametrize("preprocessing", PREPROCESSING)
@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(1, RATE_HZ), min_size=1, max_size=6),
    st.sampled_from([0.12, 0.48, 0.96]),
    st.integers(1, 40_000),
)
def test_streaming_is_offline_whatever_the_chunks(
    preprocessing: Preprocessing, sizes: list[int], hop_seconds: float, samples: int
):
    params = FeatureParams(patch_hop_seconds=hop_seconds, preprocessing=preprocessing)
    waveform = noise(samples)
    stream = PatchStream(params)
    patches = [patch for chunk in cut(waveform, sizes) for patch in stream.push(chunk)]
    patches += stream.finish()
    offline = log_mel_patches(waveform, params)
    assert len(patches) == len(offline)
    streamed = np.array([patch.content for patch in patches])
    assert np.abs(streamed - offline).max() < 1e-5
