"""The bundle's `saved_model/`: what TensorFlow Serving and the TensorFlow engine run.

The log-mel is computed inside with `tf.signal`, as the YAMNet reference does (`features.py` there).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from listener.detection.params import FeatureParams

WAVEFORM_SIGNATURE = "serving_default"
PATCHES_SIGNATURE = "patches"


def write_saved_model(model: keras.Model, features: FeatureParams, directory: Path) -> None:
    """A SavedModel with two signatures, both -> scores (patches, K), embeddings (patches, D).

    `serving_default` takes a waveform, float32 (n,) at the model's rate; `patches` takes log-mel
    patches, float32 (B, 96, 64).
    """
    patch_shape = (None, features.patch_frames, features.mel_bands)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        WAVEFORM_SIGNATURE,
        lambda waveform: _infer(model, tf_log_mel_patches(waveform, features)),
        input_signature=[tf.TensorSpec((None,), tf.float32, "waveform")],
    )
    archive.add_endpoint(
        PATCHES_SIGNATURE,
        lambda patches: _infer(model, patches),
        input_signature=[tf.TensorSpec(patch_shape, tf.float32, "patches")],
    )
    archive.write_out(directory, verbose=False)


def _infer(model: keras.Model, patches: tf.Tensor) -> dict[str, Any]:
    outputs = model(patches, training=False)
    return {"scores": outputs["scores"], "embeddings": outputs["embeddings"]}


def tf_log_mel_patches(waveform: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    """(n,) -> (patches, 96, 64), the end padded with silence; no samples give one silent patch."""
    spectrum = tf.signal.stft(
        _pad(waveform, features),
        features.stft_window_samples,
        features.stft_hop_samples,
        features.fft_length,
    )
    mel_weights = tf.signal.linear_to_mel_weight_matrix(
        features.mel_bands,
        features.fft_length // 2 + 1,
        features.sample_rate_hz,
        features.mel_min_hz,
        features.mel_max_hz,
    )
    log_mel = tf.math.log(tf.abs(spectrum) @ mel_weights + features.log_offset)
    return tf.signal.frame(log_mel, features.patch_frames, features.patch_hop_frames, axis=0)


def _pad(waveform: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    """At least one window, and a whole number of patch hops after it."""
    count = tf.shape(waveform)[0]
    after_first = tf.maximum(count - features.window_samples, 0)
    hops = -(-after_first // features.patch_hop_samples)  # rounded up
    whole = features.window_samples + hops * features.patch_hop_samples
    return tf.pad(waveform, [[0, whole - count]])
