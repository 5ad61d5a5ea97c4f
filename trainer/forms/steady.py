"""A golden waveform for a model that rounds its input to 8 bits: one that rounds alike on every CPU.

Its log-mel differs from CPU to CPU by rounding errors, and where one of them takes an input over the edge
of a step, scores jump. So all of it must lie away from the edges. That is possible for sounds that repeat
with the STFT hop, of which all frames are the same 64 numbers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from listener.engines.tflite import open_model

_SOUNDS, _SECONDS = 3, 1.0  # as long as the golden waveform of other forms: five patches
_PEAK = 0.5
_MARGIN = 5e-5  # of the log-mel: five times the rounding that forms are judged by
_TRIES = 200

LEAST_TOLERANCE = 2 / 256  # of scores of 8 bits, whose last other CPUs may round otherwise


def steady_waveform(
    model: Path, features: FeatureParams, tries: int = _TRIES
) -> NDArray[np.float32] | None:
    """Three hums of a second each, float32 (n,), within 0.5; None if the model has floats for its input.

    None also where no hums were found that lie away from the edges.
    """
    step = input_step(model, features)
    if step is None:
        return None
    hums = (_hums(features, seed) for seed in range(tries))
    return next((each for each in hums if _edge_distance(each, features, step) > _MARGIN), None)


def golden_waveform_for(bundle: Bundle, model: Path) -> NDArray[np.float32]:
    """The waveform by which a form of the bundle's model is checked: a steady one, or the bundle's own."""
    steady = steady_waveform(model, bundle.manifest.features)
    return bundle.read_golden().waveform if steady is None else steady


def input_step(model: Path, features: FeatureParams) -> tuple[float, int] | None:
    """Scale and zero point of the 8 bits that a TFLite model rounds its patches to, if it does."""
    shape = [1, features.patch_frames, features.mel_bands]
    for tensor in open_model(model).get_tensor_details():
        if tensor["dtype"] is np.int8 and tensor["shape"].tolist() == shape:
            scale, zero = tensor["quantization"]
            return float(scale), int(zero)
    return None


def _hums(features: FeatureParams, seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    repeats = round(_SECONDS / features.stft_hop_seconds)
    hums = [
        np.tile(random.standard_normal(features.stft_hop_samples), repeats) for _ in range(_SOUNDS)
    ]
    waveform = np.concatenate([hum * 0.1 ** random.uniform(0.0, 2.0) for hum in hums])
    return (_PEAK * waveform / np.abs(waveform).max()).astype(np.float32)


def _edge_distance(
    waveform: NDArray[np.float32], features: FeatureParams, step: tuple[float, int]
) -> float:
    """How far the nearest number of its log-mel is from where it would be rounded otherwise."""
    scale, zero = step
    steps = log_mel_patches(waveform, features).astype(np.float64) / scale + zero
    inside = steps[(steps > -128.5 - 1) & (steps < 127.5 + 1)]  # beyond, all is the same
    if not len(inside):
        return 0.0
    return float(scale * (0.5 - np.abs(inside - np.round(inside)).max()))
