"""A source that ends at a sharp edge has a bandwidth; a full, dull, tonal or quiet one has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soxr

from listener.detection.audio import Samples
from listener.detection.bandwidth import LOOKS, BandwidthMeter
from listener.detection.features import WindowFrames, contents_of
from listener.detection.params import FeatureParams, Preprocessing
from tests.listener.detection.waveforms import RATE_HZ, noise, silence, sine

PARAMS = FeatureParams()
SECONDS = 30


def measure(samples: Samples, params: FeatureParams = PARAMS) -> list[float | None]:
    """The bandwidth after each patch."""
    meter = BandwidthMeter(params)
    return [meter.push(content) for content in contents_of(samples, params)]


def at_rate(rate_hz: int, seconds: float = SECONDS, rms: float = 0.1) -> Samples:
    """White noise that was sampled at this rate, at 16 kHz."""
    narrow = noise(round(seconds * rate_hz), rms)
    return np.asarray(soxr.resample(narrow, rate_hz, RATE_HZ), np.float32)


def sloping(hz: float, octave_db: float) -> Samples:
    """White noise that falls by so many dB an octave above a frequency."""
    spectrum = np.fft.rfft(noise(SECONDS * RATE_HZ))
    frequencies = np.fft.rfftfreq(SECONDS * RATE_HZ, 1 / RATE_HZ)
    gains_db = -octave_db * np.log2(np.maximum(frequencies, hz) / hz)
    return np.fft.irfft(spectrum * 10 ** (gains_db / 20)).astype(np.float32)


def harmonics(hz: float, count: int) -> Samples:
    """A tone and its overtones, each weaker than the one before."""
    tones = [sine(hz * n, SECONDS, 0.3 / n) for n in range(1, count + 1)]
    return np.asarray(np.sum(tones, axis=0), np.float32)


@pytest.mark.parametrize("rate_hz", [5_400, 8_000, 11_025, 12_000])
def test_half_the_sample_rate_is_the_bandwidth(rate_hz: int):
    found = measure(at_rate(rate_hz))[-1]
    assert found == pytest.approx(rate_hz / 2, abs=150)


@pytest.mark.parametrize(
    "preprocessing", [Preprocessing(high_pass_hz=200.0), Preprocessing(level_dbfs=-30.0)]
)
def test_preprocessing_does_not_hide_it(preprocessing: Preprocessing):
    params = replace(PARAMS, preprocessing=preprocessing)
    assert measure(at_rate(8_000), params)[-1] == pytest.approx(4_000, abs=150)
    assert measure(at_rate(RATE_HZ), params)[-1] is None


@pytest.mark.parametrize(
    "samples",
    [
        at_rate(RATE_HZ),
        at_rate(22_050),
        sloping(1_000.0, 24.0),
        sloping(3_000.0, 48.0),
        harmonics(50.0, 20),
        harmonics(440.0, 6),
        sine(3_100.0, SECONDS, 0.5),
        silence(SECONDS),
        at_rate(8_000, rms=1e-5),
    ],
    ids=["full", "22 kHz", "dull", "duller", "hum", "tone", "beep", "silence", "quiet"],
)
def test_a_source_that_is_full_dull_tonal_or_quiet_has_no_limit(samples: Samples):
    assert set(measure(samples)) == {None}


def test_it_is_believed_only_after_enough_sound():
    found = measure(at_rate(8_000))
    first = next(number for number, value in enumerate(found) if value is not None)
    assert first == 4 * (LOOKS - 1)  # patches: one in four is looked at


def test_silence_between_sounds_neither_counts_nor_ends_it():
    sound = at_rate(8_000, 4.0)
    found = measure(np.concatenate([sound, silence(60.0)] * 8))
    assert found[len(found) // 8] is None
    assert found[-1] == pytest.approx(4_000, abs=150)


def test_one_broadband_sound_ends_it_and_a_click_does_not():
    narrow = at_rate(8_000)
    clicked = narrow.copy()
    clicked[RATE_HZ * 25] = 0.9
    assert measure(clicked)[-1] is not None
    assert measure(np.concatenate([narrow, noise(4 * RATE_HZ)]))[-1] is None


def test_a_codec_that_replaces_another_is_seen_after_a_while():
    found = measure(np.concatenate([at_rate(RATE_HZ, 10.0), at_rate(8_000, 600.0)]))
    assert found[100] is None
    assert found[-1] == pytest.approx(4_000, abs=150)
    wider = measure(np.concatenate([at_rate(8_000), at_rate(11_025)]))
    assert wider[-1] == pytest.approx(5_512, abs=150)


def test_windows_of_an_engine_that_makes_its_own_log_mel_are_looked_at_less_often():
    meter = BandwidthMeter(PARAMS)
    windows = contents_of(at_rate(8_000, 160.0), PARAMS, WindowFrames(PARAMS))
    assert [meter.push(window) for window in windows][-1] == pytest.approx(4_000, abs=150)


def test_few_bands_have_no_edge():
    assert set(measure(at_rate(8_000), replace(PARAMS, mel_bands=8))) == {None}
