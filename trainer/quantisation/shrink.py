"""`trainer shrink`: a bundle in, its smallest form that is good enough out."""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import MODEL_FILE, Bundle, BundleError
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine
from trainer.config import Form, WantedForm
from trainer.data.formats import read_clips
from trainer.errors import QuantisationError, TargetError
from trainer.evaluation import clip_metrics, selection
from trainer.export.bundle import check_target, convert_to_tflite
from trainer.quantisation import convert, measure
from trainer.quantisation.equalise import equalise
from trainer.quantisation.measure import QuantisedFigures
from trainer.terminal import ReportClips

log = logging.getLogger(__name__)

_FORMS: tuple[Form, ...] = get_args(Form)


@dataclass(frozen=True, slots=True)
class ShrinkRequest:
    """The arguments of `trainer shrink`; no folds means those of which the bundle saw no clip."""

    bundle: Bundle
    data: tuple[Path, ...]
    out: Path
    form: WantedForm = "best"
    folds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Model:
    """A form of the model as a file, and opened in the daemon's engine with one thread."""

    path: Path
    engine: LiteRTEngine


def shrink_bundle(request: ShrinkRequest, report: ReportClips) -> Bundle:
    """Convert to every form, measure them all, write the one that was asked for.

    Raises:
        QuantisationError: the form that was asked for is not offered.
        DataError: the data cannot be used, or the bundle was trained or tuned on it.
        BundleError: the bundle has no SavedModel.
        TargetError: the bundle cannot be written to `out`.
    """
    bundle, features = request.bundle, request.bundle.manifest.features
    saved_model = _check_paths(request)
    table = selection.choose_clips(
        bundle, read_clips(request.data), request.folds, selection.TRAINED_OR_TUNED
    )
    selection.check_unseen(bundle, selection.paths_of(table))
    calibration, evaluation = measure.split_clips(selection.match_classes(table, bundle))
    progress = report("reading clips for the activations' ranges")
    patches = measure.representative_patches(calibration, features, progress)
    with tempfile.TemporaryDirectory(prefix="earshot-forms-") as workspace:
        folder = Path(workspace)
        equalised = equalise(saved_model, patches, features, folder / "equalised")
        models: dict[Form, _Model] = {}
        for form in _FORMS:
            log.info("converting to %s", form)
            source = equalised if form == "int8" else saved_model
            path = folder / f"{form}-{MODEL_FILE}"
            path.write_bytes(convert_to_tflite(source, form, patches))
            models[form] = _Model(path, LiteRTEngine(path))
        clips = measure.evaluate_forms(
            {form: model.engine.infer for form, model in models.items()},
            evaluation,
            bundle.labels,
            features,
            report("evaluating forms"),
        )
        figures = _measure(bundle, models, clips, patches)
        chosen = choose_form(figures, request.form)
        data = tuple(map(str, request.data))
        record = convert.QuantisationRecord(
            data, clips["float32"].clips, measure.BATCH_PATCHES, figures
        )
        return convert.write_form(request.out, bundle, models[chosen.form].path, chosen, record)


def _check_paths(request: ShrinkRequest) -> Path:
    """Check where the bundle is read from and written to; the path of its SavedModel."""
    check_target(request.out)
    bundle = request.bundle
    if request.out.resolve() == bundle.path.resolve():
        raise TargetError(
            f"{request.out}: expected another place than the bundle's own, which stays as it is"
        )
    if bundle.saved_model_path is None:
        raise BundleError(f"{bundle.path}: expected a bundle with saved_model/, found none")
    return bundle.saved_model_path


def _measure(
    bundle: Bundle,
    models: Mapping[Form, _Model],
    clips: Mapping[Form, clip_metrics.ClipMetrics],
    patches: NDArray[np.float32],
) -> tuple[QuantisedFigures, ...]:
    features, float32 = bundle.manifest.features, clips["float32"]
    infers = {form: model.engine.infer for form, model in models.items()}
    speeds = measure.measure_speeds(infers, patches)
    figures = []
    for form, model in models.items():
        waveform = convert.choose_golden_waveform(bundle, model.path)
        tolerance = measure.golden_tolerance(infers[form], log_mel_patches(waveform, features))
        if convert.input_step(model.path, features) is not None:
            tolerance = max(tolerance, convert.MIN_INT8_TOLERANCE)
        found = QuantisedFigures(
            form=form,
            size_bytes=model.path.stat().st_size,
            speed=speeds[form],
            accuracy=clips[form].accuracy,
            average_precision=clips[form].average_precision,
            accuracy_loss_points=measure.lost_points(float32.accuracy, clips[form].accuracy),
            average_precision_loss_points=measure.lost_points(
                float32.average_precision, clips[form].average_precision
            ),
            golden_tolerance=tolerance,
        )
        log.info("%s", found.summary)
        figures.append(found)
    return tuple(figures)


def choose_form(figures: Sequence[QuantisedFigures], wanted: WantedForm) -> QuantisedFigures:
    """The form that was asked for, or the smallest that is offered.

    Raises:
        QuantisationError: the form is not offered; the message has its figures.
    """
    if wanted == "best":
        return measure.smallest(figures)
    chosen = next(each for each in figures if each.form == wanted)
    if chosen.fault is not None:
        raise QuantisationError(chosen.summary)
    return chosen
