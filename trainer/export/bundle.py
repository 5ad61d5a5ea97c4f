"""Keras model over patches -> bundle, checked with the daemon's own engine before it is in place."""

import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from listener.detection import bundle as bundles
from listener.detection import params
from listener.detection.bundle import MODEL_FILE, SAVED_MODEL_DIR, Bundle, Golden, Manifest
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine
from trainer.config import Form, Storage
from trainer.errors import ParityError, TargetError
from trainer.export.saved_model import PATCHES_SIGNATURE, write_saved_model
from trainer.provenance import Provenance

log = logging.getLogger(__name__)

PARITY_TOLERANCE = 1e-4  # of scores, TFLite against Keras; float32 stays a hundred times below


def convert_to_tflite(
    saved_model: Path, form: Form, representative: NDArray[np.float32] | None = None
) -> bytes:
    """The signature `patches` as a TFLite model; inputs and outputs stay float32.

    It starts from a SavedModel, because from_concrete_functions loses the weights of a Keras 3 model
    and from_keras_model prints to stdout.

    Args:
        saved_model: its directory.
        form: float16: weights only; dynamic: weights of 8 bits, activations quantised at run time; int8:
            weights and activations of 8 bits, with fixed ranges.
        representative: patches (n, 96, 64) that show the activations' ranges; int8 needs them.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(saved_model), signature_keys=[PATCHES_SIGNATURE]
    )
    if form != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if form == "int8":
        if representative is None:
            raise ValueError("int8: expected representative patches, got none")
        converter.representative_dataset = lambda: (
            {PATCHES_SIGNATURE: patch[None]} for patch in representative
        )
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
            tf.lite.OpsSet.TFLITE_BUILTINS,  # for operators without an integer kernel
        ]
    with warnings.catch_warnings():
        # the converter itself uses the interpreter that TensorFlow deprecates
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
        model: bytes = converter.convert()
    return model


def export_bundle(
    path: Path,
    model: keras.Model,
    manifest: Manifest,
    card: str,
    storage: Storage = "float32",
    *,
    with_saved_model: bool = True,
    files: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Write the bundle, whole or not at all; a bundle at `path` is replaced.

    `model` takes patches (B, 96, 64) and returns a dict of scores (B, K) and embeddings (B, D). Without
    the SavedModel a bundle is small and runs on LiteRT only. `files` are further files by name.

    Raises:
        TargetError: `path` holds something else or cannot be written.
        ParityError: TFLite's scores differ from the Keras model's by more than PARITY_TOLERANCE.
        BundleError: the golden check failed.
    """
    check_target(path)
    with _writing(path), tempfile.TemporaryDirectory(dir=path.parent, prefix=".bundle-") as name:
        contents = Path(name) / "contents"
        contents.mkdir()  # because only the owner may read the directory that mkdtemp makes
        golden = make_golden(model, manifest.features)
        write_golden(contents, golden)
        log.info("writing %s", SAVED_MODEL_DIR)
        write_saved_model(model, manifest.features, contents / SAVED_MODEL_DIR)
        log.info("converting to %s, %s weights", MODEL_FILE, storage)
        tflite = convert_to_tflite(contents / SAVED_MODEL_DIR, storage)
        (contents / MODEL_FILE).write_bytes(tflite)
        if not with_saved_model:
            shutil.rmtree(contents / SAVED_MODEL_DIR)
        (contents / bundles.CARD_FILE).write_text(card, encoding="utf-8")
        for file, content in (files or {}).items():
            (contents / file).write_bytes(content)
        difference = _check(Bundle(contents, manifest), golden, storage)
        made = Provenance(storage=storage, tflite_score_difference=difference)
        return bundles.write_bundle(
            path, replace(manifest, provenance={**manifest.provenance, **made}), contents
        )


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Failed writes, ours and TensorFlow's, become a TargetError."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.message
        raise TargetError(f"{path}: cannot be written: {reason}") from error


def check_target(path: Path) -> None:
    """Check that a bundle may be written to `path`, and make the directories above it.

    Raises:
        TargetError: `path` holds something that is not a bundle, or the directory cannot be made.
    """
    if path.exists() and not (path / bundles.MANIFEST_FILE).is_file():
        raise TargetError(f"{path}: expected a free name or an older bundle, found something else")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(f"{path}: cannot be written: {error.strerror}") from error


def make_golden(model: keras.Model, features: params.FeatureParams) -> Golden:
    """The golden waveform with the Keras model's scores, so that the check covers the conversion."""
    waveform = golden_waveform(features.sample_rate_hz)
    scores = model(log_mel_patches(waveform, features), training=False)["scores"]
    return Golden(waveform, np.asarray(scores, np.float32))


def golden_waveform(sample_rate_hz: int) -> NDArray[np.float32]:
    """Three seconds of a chord, a rising sweep and noise, always the same: float32 (n,), within 0.6."""
    time = np.arange(sample_rate_hz) / sample_rate_hz
    chord = sum(np.sin(2 * np.pi * hz * time) for hz in (440.0, 1000.0, 3000.0))
    sweep = np.sin(2 * np.pi * (200.0 + 1900.0 * time) * time)  # 200 Hz to 4 kHz
    noise = np.random.default_rng(0).uniform(-1.0, 1.0, len(time))
    return np.concatenate((0.2 * chord, 0.5 * sweep, 0.1 * noise)).astype(np.float32)


def write_golden(contents: Path, golden: Golden) -> None:
    """Write GOLDEN_FILE into the directory of a bundle that is being made."""
    np.savez_compressed(
        contents / bundles.GOLDEN_FILE,
        waveform=golden.waveform,
        scores=golden.scores,
        tolerance=np.float64(golden.tolerance),
    )


def _check(bundle: Bundle, golden: Golden, storage: Storage) -> float:
    """Run the daemon's engine; the largest difference of its scores to the Keras model's."""
    engine = LiteRTEngine(bundle.model_path)
    scores, _ = engine.infer(log_mel_patches(golden.waveform, bundle.manifest.features))
    difference = float(np.abs(scores - golden.scores).max())
    log.info("%s: scores differ from the Keras model's by %.2g", MODEL_FILE, difference)
    if not difference <= PARITY_TOLERANCE:
        raise ParityError(
            f"{storage} storage: expected scores within {PARITY_TOLERANCE:g} of the Keras model's, "
            f"they differ by {difference:.2g}"
        )
    bundles.check_golden(bundle, engine.infer)
    return difference
