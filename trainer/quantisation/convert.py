"""A form of a bundle as a bundle of its own."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import (
    CARD_FILE,
    MODEL_FILE,
    Bundle,
    Golden,
    Manifest,
    check_golden,
    write_bundle,
)
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from listener.engines.litert import LiteRTEngine
from listener.engines.tflite import open_model
from trainer.errors import TargetError
from trainer.evaluation.regression import REGRESSION_FILE
from trainer.export.bundle import write_golden
from trainer.model_card import make_card
from trainer.provenance import provenance_of, to_document, with_introduction, without
from trainer.quantisation.measure import QuantisedFigures

_PEAK = 0.5
_MARGIN = 5e-5  # of the log-mel: five times the rounding that forms are judged by
_TRIES = 200
LEAST_TOLERANCE = 2 / 256  # of scores of 8 bits, whose last other CPUs may round otherwise


# A golden waveform for a model that rounds its input to 8 bits: one that rounds alike on every CPU.


_SOUNDS, _SECONDS = 3, 1.0  # as long as the golden waveform of other forms: five patches


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


@dataclass(frozen=True, slots=True)
class Tried:
    """What goes into the provenance: the data, how many clips judged, patches in a batch, the forms."""

    data: tuple[str, ...]
    clips: int
    batch_patches: int
    tried: tuple[QuantisedFigures, ...]


def write_form(
    out: Path, bundle: Bundle, model: Path, chosen: QuantisedFigures, tried: Tried
) -> Bundle:
    """The bundle with this model, one version on, whole or not at all.

    It has no SavedModel and no report: a station's bundle, that runs on LiteRT only. Its golden scores
    are those that its own model gives in the daemon's engine, patch by patch. An evaluation of the
    bundle that it was made of was of another model and is dropped.

    Raises:
        BundleError: the golden check failed, or `out` holds something else than a bundle.
        TargetError: it cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".bundle-") as workspace:
            contents = Path(workspace) / "contents"
            contents.mkdir()
            shutil.copyfile(model, contents / MODEL_FILE)
            if REGRESSION_FILE in bundle.manifest.files:
                shutil.copyfile(bundle.path / REGRESSION_FILE, contents / REGRESSION_FILE)
            golden = _make_golden(bundle, model, chosen)
            write_golden(contents, golden)
            difference = _difference(bundle, golden)
            manifest = _manifest(bundle, chosen, tried, difference)
            (contents / CARD_FILE).write_text(make_card(manifest), encoding="utf-8")
            check_golden(Bundle(contents, manifest), LiteRTEngine(contents / MODEL_FILE).infer)
            return write_bundle(out, manifest, contents)
    except OSError as error:
        raise TargetError(f"{out}: cannot be written: {error.strerror}") from error


def _make_golden(bundle: Bundle, model: Path, chosen: QuantisedFigures) -> Golden:
    waveform = golden_waveform_for(bundle, model)
    infer = LiteRTEngine(model).infer
    patches = log_mel_patches(waveform, bundle.manifest.features)
    scores = np.concatenate([infer(patch[None])[0] for patch in patches])
    return Golden(waveform, scores, chosen.golden_tolerance)


def _difference(bundle: Bundle, golden: Golden) -> float:
    patches = log_mel_patches(golden.waveform, bundle.manifest.features)
    scores, _ = LiteRTEngine(bundle.model_path).infer(patches)
    return float(np.abs(golden.scores - scores).max())


def _manifest(
    bundle: Bundle, chosen: QuantisedFigures, tried: Tried, difference: float
) -> Manifest:
    known = without(provenance_of(bundle.manifest), "evaluation")
    known = {
        **with_introduction(known, bundle.path),
        "forms": to_document(tried),
        "storage": chosen.form,
        "tflite_score_difference": difference,  # against the bundle's own model
    }
    return replace(
        bundle.manifest,
        version=bundle.manifest.version + 1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        provenance=dict(known),
    )
