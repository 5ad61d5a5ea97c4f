"""A form of a bundle as a bundle of its own."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

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
from listener.engines.litert import LiteRTEngine
from trainer.errors import TargetError
from trainer.evaluation.regression import REGRESSION_FILE
from trainer.export import write_golden
from trainer.forms.figures import FormFigures
from trainer.forms.steady import golden_waveform_for
from trainer.report.figures import to_document
from trainer.report.model_card import EVALUATION, FORMS, STORAGE, make_card, with_introduction


@dataclass(frozen=True, slots=True)
class Tried:
    """What goes into the provenance: the data, how many clips judged, patches in a batch, the forms."""

    data: tuple[str, ...]
    clips: int
    batch_patches: int
    tried: tuple[FormFigures, ...]


def write_form(out: Path, bundle: Bundle, model: Path, chosen: FormFigures, tried: Tried) -> Bundle:
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


def _make_golden(bundle: Bundle, model: Path, chosen: FormFigures) -> Golden:
    waveform = golden_waveform_for(bundle, model)
    infer = LiteRTEngine(model).infer
    patches = log_mel_patches(waveform, bundle.manifest.features)
    scores = np.concatenate([infer(patch[None])[0] for patch in patches])
    return Golden(waveform, scores, chosen.golden_tolerance)


def _difference(bundle: Bundle, golden: Golden) -> float:
    patches = log_mel_patches(golden.waveform, bundle.manifest.features)
    scores, _ = LiteRTEngine(bundle.model_path).infer(patches)
    return float(np.abs(golden.scores - scores).max())


def _manifest(bundle: Bundle, chosen: FormFigures, tried: Tried, difference: float) -> Manifest:
    card = bundle.path / CARD_FILE
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    known = with_introduction(bundle.manifest.provenance, text)
    known = {name: value for name, value in known.items() if name != EVALUATION}
    known |= {
        FORMS: to_document(tried),
        STORAGE: chosen.form,
        "tflite_score_difference": difference,  # against the bundle's own model
    }
    return replace(
        bundle.manifest,
        version=bundle.manifest.version + 1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        provenance=known,
    )
