"""`trainer calibrate`: a bundle and validation data in, the bundle with policies out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from listener.detection.bundle import Bundle
from trainer.config import Objective
from trainer.data.clips import ClipTable
from trainer.data.formats import read_clips
from trainer.evaluation.calibration import Calibration, calibrate_bundle
from trainer.evaluation.false_alarms import ambient_files, score_ambient, score_generated_ambient
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import Scorer, open_scorer
from trainer.evaluation.selection import (
    CALIBRATION_FILES,
    TRAINED,
    Progress,
    check_unseen,
    choose_clips,
    digest_files,
    match_classes,
    paths_of,
)
from trainer.evaluation.validation import score_validation
from trainer.report.figures import to_document
from trainer.report.model_card import CALIBRATION, EVALUATION
from trainer.report.rewrite import rewrite_bundle

log = logging.getLogger(__name__)


# Calibrated policies into a bundle.


def write_policies(
    bundle: Bundle,
    calibration: Calibration,
    files: Sequence[str] = (),
    out: Path | None = None,
) -> Bundle:
    """The bundle with these policies, one version on, at `out` or in its own place.

    What calibration found and the SHA-256 of the `files` that it listened to go into the provenance. An
    evaluation and a report of older policies are dropped: their events were others.

    Raises:
        BundleError: `out` holds something else.
        TargetError: it cannot be written.
    """
    known = {
        name: value for name, value in bundle.manifest.provenance.items() if name != EVALUATION
    }
    known |= {CALIBRATION: to_document(calibration), CALIBRATION_FILES: list(files)}
    manifest = replace(
        bundle.manifest,
        version=bundle.manifest.version + 1,
        policies=dict(calibration.policies),
        provenance=known,
    )
    return rewrite_bundle(bundle, manifest, out=out)


ReportClips = Callable[[str], Progress]  # what is being scored -> how far it is


@dataclass(frozen=True, slots=True)
class CalibrationRequest:
    """What `trainer calibrate` is asked for; no folds means those that the bundle did not learn from.

    Ambient audio is files or folders, or so many minutes of generated noise, or none.
    """

    bundle: Bundle
    data: tuple[Path, ...]
    false_alarms_per_day: float
    ambient: tuple[Path, ...] = ()
    generated_minutes: float = 0.0
    folds: tuple[int, ...] = ()
    objective: Objective = "f1"
    out: Path | None = None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The bundle as it is now, and what was found."""

    bundle: Bundle
    calibration: Calibration


def calibrate_from_data(request: CalibrationRequest, report: ReportClips) -> Calibrated:
    """Score, search, write.

    Raises:
        DataError: data that cannot be used, or that the bundle was trained on.
        BundleError: the model cannot be run, or `out` holds something else.
        TargetError: the bundle cannot be written.
    """
    bundle, ambient = request.bundle, ambient_files(request.ambient)
    table = _choose(request)
    check_unseen(bundle, {*paths_of(table), *ambient}, TRAINED)
    scorer = open_scorer(bundle)
    validation = score_validation(scorer, table, bundle.labels, report("scoring clips"))
    quiet = _score_ambient(scorer, request, ambient, report)
    log.info("choosing policies")
    calibration = calibrate_bundle(
        bundle,
        validation.files,
        quiet,
        request.false_alarms_per_day,
        generated=bool(request.generated_minutes),
        objective=request.objective,
    )
    listened_to = digest_files({*paths_of(table), *ambient})
    return Calibrated(write_policies(bundle, calibration, listened_to, request.out), calibration)


def _choose(request: CalibrationRequest) -> ClipTable:
    table = choose_clips(request.bundle, read_clips(request.data), request.folds, TRAINED)
    return match_classes(table, request.bundle)


def _score_ambient(
    scorer: Scorer, request: CalibrationRequest, files: list[Path], report: ReportClips
) -> list[ScoredFile]:
    if files:
        return score_ambient(scorer, files, report("scoring ambient audio"))
    if request.generated_minutes:
        progress = report("scoring generated ambient audio")
        return score_generated_ambient(scorer, request.generated_minutes, progress=progress)
    return []
