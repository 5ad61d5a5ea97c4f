"""`trainer shrink`: a bundle in, its smallest form that is good enough out."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import MODEL_FILE, Bundle, BundleError
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine
from trainer.config import Form, WantedForm
from trainer.data.clips import ClipTable
from trainer.data.formats import read_clips
from trainer.errors import QuantisationError, TargetError
from trainer.evaluation.clip_metrics import ClipMetrics
from trainer.evaluation.selection import (
    TRAINED_OR_TUNED,
    Progress,
    check_unseen,
    choose_clips,
    match_classes,
    paths_of,
)
from trainer.export.bundle import check_target, convert_to_tflite
from trainer.quantisation.convert import (
    LEAST_TOLERANCE,
    Tried,
    golden_waveform_for,
    input_step,
    write_form,
)
from trainer.quantisation.equalise import equalise
from trainer.quantisation.measure import (
    BATCH_PATCHES,
    QuantisedFigures,
    golden_tolerance,
    judge_forms,
    lost_points,
    measure_speeds,
    representative_patches,
    smallest,
    split_clips,
)

log = logging.getLogger(__name__)


_FORMS: tuple[Form, ...] = get_args(Form)

ReportClips = Callable[[str], Progress]  # what is being done -> how far it is


@dataclass(frozen=True, slots=True)
class ShrinkRequest:
    """What `trainer shrink` is asked for; no folds means those of which the bundle saw no clip."""

    bundle: Bundle
    data: tuple[Path, ...]
    out: Path
    form: WantedForm = "best"
    folds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Model:
    """A form of the model as a file, and in the daemon's engine with one thread."""

    path: Path
    engine: LiteRTEngine


def shrink_bundle(request: ShrinkRequest, report: ReportClips) -> Bundle:
    """Convert to every form, judge them all, write the one that is asked for.

    Raises:
        FormError: the form that was asked for is not offered.
        DataError: data that cannot be used, or that the bundle knows.
        BundleError: the bundle has no SavedModel.
        TargetError: `out` is no place for it.
    """
    bundle = request.bundle
    saved_model = _check_places(request)
    table = match_classes(_choose(request), bundle)
    for_ranges, to_judge = split_clips(table)
    ranges = report("reading clips for the activations' ranges")
    patches = representative_patches(for_ranges, bundle.manifest.features, ranges)
    with tempfile.TemporaryDirectory(prefix="earshot-forms-") as workspace:
        folder = Path(workspace)
        equal = equalise(saved_model, patches, bundle.manifest.features, folder / "equalised")
        sources = dict.fromkeys(_FORMS, saved_model) | {"int8": equal}
        models = {form: _convert(sources[form], form, patches, folder) for form in _FORMS}
        clips = judge_forms(
            {form: model.engine.infer for form, model in models.items()},
            to_judge,
            bundle.labels,
            bundle.manifest.features,
            report("judging forms"),
        )
        figures = _measure(bundle, models, clips, patches)
        chosen = choose_form(figures, request.form)
        tried = Tried(tuple(map(str, request.data)), clips["float32"].clips, BATCH_PATCHES, figures)
        return write_form(request.out, bundle, models[chosen.form].path, chosen, tried)


def _check_places(request: ShrinkRequest) -> Path:
    """Where the SavedModel is."""
    check_target(request.out)
    bundle = request.bundle
    if request.out.resolve() == bundle.path.resolve():
        raise TargetError(
            f"{request.out}: expected another place than the bundle's own, which stays as it is"
        )
    if bundle.saved_model_path is None:
        raise BundleError(f"{bundle.path}: expected a bundle with saved_model/, found none")
    return bundle.saved_model_path


def _choose(request: ShrinkRequest) -> ClipTable:
    every_clip = read_clips(request.data)
    table = choose_clips(request.bundle, every_clip, request.folds, TRAINED_OR_TUNED)
    check_unseen(request.bundle, paths_of(table))
    return table


def _convert(saved_model: Path, form: Form, patches: NDArray[np.float32], folder: Path) -> _Model:
    log.info("converting to %s", form)
    path = folder / f"{form}-{MODEL_FILE}"
    path.write_bytes(convert_to_tflite(saved_model, form, patches))
    return _Model(path, LiteRTEngine(path))


def _measure(
    bundle: Bundle,
    models: Mapping[Form, _Model],
    clips: Mapping[Form, ClipMetrics],
    patches: NDArray[np.float32],
) -> tuple[QuantisedFigures, ...]:
    speeds = measure_speeds({form: model.engine.infer for form, model in models.items()}, patches)
    best = clips["float32"]
    figures = tuple(
        QuantisedFigures(
            form=form,
            size_bytes=model.path.stat().st_size,
            speed=speeds[form],
            accuracy=clips[form].accuracy,
            average_precision=clips[form].average_precision,
            accuracy_loss_points=lost_points(best.accuracy, clips[form].accuracy),
            average_precision_loss_points=lost_points(
                best.average_precision, clips[form].average_precision
            ),
            golden_tolerance=_golden_tolerance(bundle, model),
        )
        for form, model in models.items()
    )
    for each in figures:
        log.info("%s", each.summary)
    return figures


def _golden_tolerance(bundle: Bundle, model: _Model) -> float:
    features = bundle.manifest.features
    waveform = golden_waveform_for(bundle, model.path)
    found = golden_tolerance(model.engine.infer, log_mel_patches(waveform, features))
    return found if input_step(model.path, features) is None else max(found, LEAST_TOLERANCE)


def choose_form(figures: Sequence[QuantisedFigures], wanted: WantedForm) -> QuantisedFigures:
    """The form that is asked for, or the smallest that is offered.

    Raises:
        FormError: it is not offered; the figures say why.
    """
    if wanted == "best":
        return smallest(figures)
    chosen = next(each for each in figures if each.form == wanted)
    if chosen.fault is not None:
        raise QuantisationError(chosen.summary)
    return chosen
