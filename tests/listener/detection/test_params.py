"""The numbers of the front end, and what cannot be one."""

from dataclasses import replace
from typing import Any

import pytest

from listener.detection.params import FeatureParams, Preprocessing


def test_the_defaults_are_yamnets_in_samples_and_frames():
    params = FeatureParams()
    assert (params.stft_window_samples, params.stft_hop_samples) == (400, 160)
    assert (params.patch_frames, params.patch_hop_frames) == (96, 48)
    assert params.patch_hop_samples == 7_680
    assert params.window_samples == 95 * 160 + 400 == 15_600


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sample_rate_hz", 0, "sample_rate_hz: expected more than 0, got 0"),
        ("stft_window_seconds", 0.02503, "stft_window_seconds: expected a whole number of samples"),
        ("stft_hop_seconds", 0.01003, "stft_hop_seconds: expected a whole number of samples"),
        ("patch_seconds", 0.965, "patch_seconds: expected a whole number of stft hops, got 96.5"),
        ("patch_hop_seconds", 0.0, "patch_hop_seconds: expected a whole number of stft hops"),
        ("patch_hop_seconds", 0.97, "patch_hop_seconds: expected at most 0.96, got 0.97"),
        ("fft_length", 256, "fft_length: expected 400 to 65536, got 256"),
        ("mel_max_hz", 8_001.0, r"expected 0 <= min < max <= 8000.0, got 125.0 and 8001.0"),
        ("mel_min_hz", -1.0, r"expected 0 <= min < max <= 8000.0, got -1.0 and 7500.0"),
        ("mel_bands", 0, "mel_bands: expected more than 0, got 0"),
    ],
)
def test_an_impossible_number_is_refused_by_name(name: str, value: float, message: str):
    changes: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=message):
        replace(FeatureParams(), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"high_pass_hz": 0.0}, "high_pass_hz: expected more than 0, got 0.0"),
        ({"high_pass_hz": float("nan")}, "high_pass_hz: expected more than 0, got nan"),
        ({"level_dbfs": 1.0}, "level_dbfs: expected -60 to 0 dBFS, got 1.0"),
        ({"level_dbfs": float("nan")}, "level_dbfs: expected -60 to 0 dBFS, got nan"),
        ({"max_gain_db": 0.0}, "max_gain_db: expected more than 0, at most 60, got 0.0"),
        ({"max_gain_db": float("inf")}, "max_gain_db: expected more than 0, at most 60, got inf"),
        ({"low_pass_hz": 100.0}, "low_pass_hz"),
    ],
)
def test_impossible_preprocessing_is_refused_by_name(changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Preprocessing(**changes)


def test_a_high_pass_over_all_mel_bands_is_refused():
    with pytest.raises(ValueError, match=r"high_pass_hz: expected less than 7500, got 7500\.0"):
        FeatureParams(preprocessing=Preprocessing(high_pass_hz=7_500.0))
