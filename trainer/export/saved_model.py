"""The bundle's `saved_model/`: what TensorFlow Serving and the TensorFlow engine run.

The log-mel is computed inside with `tf.signal`, as the YAMNet reference does (`features.py` there).
"""

import math
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from listener.detection import audio, log_mel
from listener.detection.params import FeatureParams

WAVEFORM_SIGNATURE = "serving_default"
PATCHES_SIGNATURE = "patches"
WINDOWS_SIGNATURE = "windows"
_SILENT_POWER = 10.0 ** (audio.SILENCE_DBFS / 10.0)


def write_saved_model(model: keras.Model, features: FeatureParams, directory: Path) -> None:
    """A SavedModel with three signatures, all -> scores (patches, K), embeddings (patches, D).

    `serving_default` takes a waveform, float32 (n,) at the model's rate, and also returns `clip_scores`
    (K,), the mean over the patches; `patches` takes log-mel patches, float32 (B, 96, 64); `windows`
    takes the waveforms of patches, float32 (B, 15600).
    """
    patch_shape = (None, features.patch_frames, features.mel_bands)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        WAVEFORM_SIGNATURE,
        lambda waveform: _infer(model, tf_log_mel_patches(waveform, features), whole_clip=True),
        input_signature=[tf.TensorSpec((None,), tf.float32, "waveform")],
    )
    archive.add_endpoint(
        PATCHES_SIGNATURE,
        lambda patches: _infer(model, patches),
        input_signature=[tf.TensorSpec(patch_shape, tf.float32, "patches")],
    )
    archive.add_endpoint(
        WINDOWS_SIGNATURE,
        lambda windows: _infer(model, tf_log_mel_of_windows(windows, features)),
        input_signature=[
            tf.TensorSpec((None, features.window_samples), tf.float32, WINDOWS_SIGNATURE)
        ],
    )
    archive.write_out(directory, verbose=False)


def _infer(model: keras.Model, patches: tf.Tensor, *, whole_clip: bool = False) -> dict[str, Any]:
    outputs = model(patches, training=False)
    found = {"scores": outputs["scores"], "embeddings": outputs["embeddings"]}
    if whole_clip:
        found["clip_scores"] = tf.reduce_mean(outputs["scores"], axis=0)
    return found


def tf_log_mel_patches(waveform: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    """(n,) -> (patches, 96, 64), the end padded with silence; no samples give one silent patch."""
    count = tf.shape(waveform)[0]
    after_first = tf.maximum(count - features.window_samples, 0)
    hops = -(-after_first // features.patch_hop_samples)  # rounded up
    whole = features.window_samples + hops * features.patch_hop_samples
    spectrum = _magnitudes(tf.pad(waveform, [[0, whole - count]]), features)
    mel = spectrum @ _mel_weights(features)
    if features.preprocessing.level_dbfs is None:
        return _frame(tf.math.log(mel + features.log_offset), features)
    mean_squares = _frame(_mean_squares(spectrum, features), features)
    return _levelled(_frame(mel, features), mean_squares, features)


def tf_log_mel_of_windows(windows: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    """(B, 15600) -> (B, 96, 64), each window's own patch."""
    spectrum = _magnitudes(windows, features)
    mel = tf.tensordot(spectrum, _mel_weights(features), 1)
    if features.preprocessing.level_dbfs is None:
        return tf.math.log(mel + features.log_offset)
    return _levelled(mel, _mean_squares(spectrum, features), features)


def _mel_weights(features: FeatureParams) -> tf.Tensor:
    return tf.signal.linear_to_mel_weight_matrix(
        features.mel_bands,
        features.fft_length // 2 + 1,
        features.sample_rate_hz,
        features.mel_min_hz,
        features.mel_max_hz,
    )


def _magnitudes(waveform: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    """(..., n) -> (..., frames, 257), without what the high-pass removes."""
    window, hop = features.stft_window_samples, features.stft_hop_samples
    frames = tf.signal.frame(waveform, window, hop)
    low = log_mel.low_frequency_basis(features)
    if low is not None:
        exact = tf.cast(frames, tf.float64)  # as the listener does, whose reason it is
        exact -= tf.matmul(exact @ low, low, transpose_b=True)
        frames = tf.cast(exact, tf.float32)
    return tf.abs(tf.signal.rfft(frames * tf.signal.hann_window(window), [features.fft_length]))


def _frame(frames: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    """(frames, ...) -> (patches, 96, ...)."""
    return tf.signal.frame(frames, features.patch_frames, features.patch_hop_frames, axis=0)


def _mean_squares(spectrum: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    """(..., frames, 257) -> (..., frames)."""
    return tf.linalg.matvec(tf.square(spectrum), log_mel.mean_square_weights(features))


def _levelled(mel: tf.Tensor, mean_squares: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    """Mel bands (patches, 96, 64), mean squares (patches, 96) -> log-mel; see `LevelledFrames`."""
    preprocessing = features.preprocessing
    powers = tf.maximum(tf.reduce_mean(mean_squares, axis=1), _SILENT_POWER)
    levels_dbfs = 10.0 * tf.math.log(powers) / math.log(10.0)
    wanted_db = preprocessing.level_dbfs - levels_dbfs
    bound_db = preprocessing.max_gain_db
    gains = tf.pow(10.0, tf.clip_by_value(wanted_db, -bound_db, bound_db) / 20.0)
    return tf.math.log(mel * gains[:, tf.newaxis, tf.newaxis] + features.log_offset)
