"""A quantised form of a bundle as a bundle of its own, with a golden check that suits it."""

import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection import bundle as bundles
from listener.detection.bundle import CARD_FILE, MODEL_FILE, Bundle, Golden, Manifest
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

MIN_INT8_TOLERANCE = (
    2 / 256
)  # of scores of 8 bits: another CPU may round the last two steps otherwise
_WAVEFORM_PEAK = 0.5
_WAVEFORM_SOUNDS, _SOUND_SECONDS = 3, 1.0  # as long as other golden waveforms: five patches
_WAVEFORM_TRIES = 200
_EDGE_MARGIN = 5e-5  # of the log-mel: five times the rounding that forms are measured with


@dataclass(frozen=True, slots=True)
class QuantisationRecord:
    """For the provenance: data, clips evaluated on, patches in a batch, the figures of all forms."""

    data: tuple[str, ...]
    clips: int
    batch_patches: int
    tried: tuple[QuantisedFigures, ...]


def write_form(
    out: Path, bundle: Bundle, model: Path, chosen: QuantisedFigures, record: QuantisationRecord
) -> Bundle:
    """The bundle with this model, as its next version, whole or not at all.

    It has no SavedModel and no report: it is for stations and runs on LiteRT only. Its golden scores
    are those of its own model in the daemon's engine, patch by patch. The evaluation in its provenance
    is dropped, because it is of another model.

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
            waveform = choose_golden_waveform(bundle, model)
            patches = log_mel_patches(waveform, bundle.manifest.features)
            infer = LiteRTEngine(model).infer
            scores = np.concatenate([infer(patch[None])[0] for patch in patches])
            write_golden(contents, Golden(waveform, scores, chosen.golden_tolerance))
            original, _ = LiteRTEngine(bundle.model_path).infer(patches)
            manifest = _manifest(bundle, chosen, record, float(np.abs(scores - original).max()))
            (contents / CARD_FILE).write_text(make_card(manifest), encoding="utf-8")
            written = LiteRTEngine(contents / MODEL_FILE)
            bundles.check_golden(Bundle(contents, manifest), written.infer)
            return bundles.write_bundle(out, manifest, contents)
    except OSError as error:
        raise TargetError(f"{out}: cannot be written: {error.strerror}") from error


def choose_golden_waveform(bundle: Bundle, model: Path) -> NDArray[np.float32]:
    """The golden waveform for a form of the bundle's model: rounding-stable, or the bundle's own."""
    stable = rounding_stable_waveform(model, bundle.manifest.features)
    return bundle.read_golden().waveform if stable is None else stable


def rounding_stable_waveform(
    model: Path, features: FeatureParams, tries: int = _WAVEFORM_TRIES
) -> NDArray[np.float32] | None:
    """Three hums of a second each, float32 (n,), within 0.5, whose log-mel rounds alike on every CPU.

    None if the model has float inputs, or if no such hums were found.
    """
    step = input_step(model, features)
    if step is None:
        return None
    hums = (_hums(features, seed) for seed in range(tries))
    return next((each for each in hums if _edge_margin(each, features, step) > _EDGE_MARGIN), None)


def input_step(model: Path, features: FeatureParams) -> tuple[float, int] | None:
    """Scale and zero point of the 8 bits that a TFLite model rounds its patches to, if it does."""
    shape = [1, features.patch_frames, features.mel_bands]
    for tensor in open_model(model).get_tensor_details():
        if tensor["dtype"] is np.int8 and tensor["shape"].tolist() == shape:
            scale, zero = tensor["quantization"]
            return float(scale), int(zero)
    return None


def _hums(features: FeatureParams, seed: int) -> NDArray[np.float32]:
    """Each hum repeats one STFT hop of noise, so that its frames are all alike."""
    random = np.random.default_rng(seed)
    repeats = round(_SOUND_SECONDS / features.stft_hop_seconds)
    hums = [
        np.tile(random.standard_normal(features.stft_hop_samples), repeats)
        for _ in range(_WAVEFORM_SOUNDS)
    ]
    waveform = np.concatenate([hum * 0.1 ** random.uniform(0.0, 2.0) for hum in hums])
    return (_WAVEFORM_PEAK * waveform / np.abs(waveform).max()).astype(np.float32)


def _edge_margin(
    waveform: NDArray[np.float32], features: FeatureParams, step: tuple[float, int]
) -> float:
    """The smallest change of its log-mel by which a number is rounded to another step."""
    scale, zero = step
    steps = log_mel_patches(waveform, features).astype(np.float64) / scale + zero
    inside = steps[(steps > -128.5 - 1) & (steps < 127.5 + 1)]  # beyond, all is clipped
    if not len(inside):
        return 0.0
    return float(scale * (0.5 - np.abs(inside - np.round(inside)).max()))


def _manifest(
    bundle: Bundle, chosen: QuantisedFigures, record: QuantisationRecord, difference: float
) -> Manifest:
    known = without(provenance_of(bundle.manifest), "evaluation")
    known = {
        **with_introduction(known, bundle.path),
        "forms": to_document(record),
        "storage": chosen.form,
        "tflite_score_difference": difference,  # against the bundle's own model
    }
    return replace(
        bundle.manifest,
        version=bundle.manifest.version + 1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        provenance=dict(known),
    )
