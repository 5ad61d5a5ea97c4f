"""A tiny bundle whose answers are known by arithmetic: it hears two tones and broadband noise.

Its embedding is the log-mel averaged over the patch's time (64 bands). A tone's label compares the two
bands at its frequency with all others, by weights that sum to zero, so that level does not matter; in
log-mel a lone sine of amplitude 0.1 to 1 stands 8.5 to 11 above the others, white noise less than 1.
`noise` looks at the mean of the bands away from the tones: about -1.2 at 0.01 rms, -3.5 at 0.001,
-6.9 in silence.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Bundle, Label, Manifest
from listener.detection.log_mel import mel_matrix
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from trainer.export.bundle import export_bundle

LOW_TONE_HZ, HIGH_TONE_HZ = 500.0, 3000.0
LABELS = (
    Label("low_tone", "Low tone"),
    Label("high_tone", "High tone"),
    Label("noise", "Noise"),
)
POLICY = LabelPolicy(on_threshold=0.5, off_threshold=0.3, smoothing_seconds=1.44)

_TONE_CONTRAST, _TONE_SLOPE = 4.0, 2.0
_NOISE_LEVEL, _NOISE_SLOPE = -2.75, 3.0
_TONE_REACH = 6  # bands around a tone that a loud one lifts too


def make_tones_bundle(path: Path, features: FeatureParams | None = None) -> Bundle:
    """The bundle `tones` version 1 with the labels low_tone, high_tone and noise."""
    features = features or FeatureParams()
    return export_bundle(path, make_tones_model(features), make_manifest(features), "# Tones\n")


def make_manifest(features: FeatureParams) -> Manifest:
    """The manifest of the tones bundle, without its files."""
    return Manifest(
        name="tones",
        version=1,
        created="2026-01-01T00:00:00+00:00",
        labels=LABELS,
        policies={label.slug: POLICY for label in LABELS},
        features=features,
        provenance={"data": "none: its weights are set by hand"},
    )


def make_tones_model(features: FeatureParams) -> keras.Model:
    """Patches (B, 96, 64) -> scores (B, 3), embeddings (B, 64)."""
    patches = keras.Input((features.patch_frames, features.mel_bands), name="patches")
    embeddings = keras.layers.GlobalAveragePooling1D(name="embeddings")(patches)
    scores = keras.layers.Dense(len(LABELS), activation="sigmoid", name="scores")(embeddings)
    model = keras.Model(patches, {"scores": scores, "embeddings": embeddings}, name="tones")
    model.get_layer("scores").set_weights(_weights(features))
    return model


def _weights(features: FeatureParams) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    low, high = (_bands_at(hz, features) for hz in (LOW_TONE_HZ, HIGH_TONE_HZ))
    columns = [
        _TONE_SLOPE * _contrast(low, features),
        _TONE_SLOPE * _contrast(high, features),
        _NOISE_SLOPE * _away_from(np.concatenate((low, high)), features),
    ]
    bias = [-_TONE_SLOPE * _TONE_CONTRAST] * 2 + [-_NOISE_SLOPE * _NOISE_LEVEL]
    return np.stack(columns, axis=1).astype(np.float32), np.array(bias, np.float32)


def _bands_at(hz: float, features: FeatureParams) -> NDArray[np.intp]:
    """The two mel bands that the frequency lies in."""
    fft_bin = round(hz * features.fft_length / features.sample_rate_hz)
    return np.argsort(mel_matrix(features)[fft_bin])[-2:]


def _contrast(bands: NDArray[np.intp], features: FeatureParams) -> NDArray[np.float64]:
    """Mean of the bands less the mean of all others."""
    weights = np.full(features.mel_bands, -1.0 / (features.mel_bands - len(bands)))
    weights[bands] = 1.0 / len(bands)
    return weights


def _away_from(bands: NDArray[np.intp], features: FeatureParams) -> NDArray[np.float64]:
    """Mean of the bands that no tone reaches."""
    distance = np.abs(np.arange(features.mel_bands)[:, None] - bands).min(axis=1)
    chosen = distance > _TONE_REACH
    return np.where(chosen, 1.0 / chosen.sum(), 0.0)
