"""`trainer calibrate`: a bundle and validation data in, the bundle with policies out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from listener.detection.bundle import Bundle
from trainer.config import Objective
from trainer.data.formats import read_clips
from trainer.evaluation import false_alarms, scored_file, scoring, selection
from trainer.evaluation.calibration import Calibration, calibrate_bundle, score_validation
from trainer.formatting import percent
from trainer.provenance import provenance_of, to_document, without
from trainer.report.rewrite import rewrite_bundle
from trainer.terminal import ReportClips, show_table

log = logging.getLogger(__name__)


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
    """The bundle with its new policies, and what was found."""

    bundle: Bundle
    calibration: Calibration


def calibrate_from_data(request: CalibrationRequest, report: ReportClips) -> Calibrated:
    """Score the clips, choose policies, and write the bundle.

    Raises:
        DataError: data that cannot be used, or that the bundle was trained on.
        BundleError: the model cannot be run, or `out` holds something else.
        TargetError: the bundle cannot be written.
    """
    bundle, keys = request.bundle, selection.TRAINED
    table = selection.choose_clips(bundle, read_clips(request.data), request.folds, keys)
    table = selection.match_classes(table, bundle)
    ambient = false_alarms.ambient_files(request.ambient)
    used = {*selection.paths_of(table), *ambient}
    selection.check_unseen(bundle, used, keys)
    scorer = scoring.open_scorer(bundle)
    validation = score_validation(scorer, table, bundle.labels, report("scoring clips"))
    quiet: list[scored_file.ScoredFile] = []
    if ambient:
        quiet = false_alarms.score_ambient(scorer, ambient, report("scoring ambient audio"))
    elif request.generated_minutes:
        progress = report("scoring generated ambient audio")
        quiet = false_alarms.score_generated_ambient(
            scorer, request.generated_minutes, progress=progress
        )
    log.info("choosing policies")
    calibration = calibrate_bundle(
        bundle,
        validation.files,
        quiet,
        request.false_alarms_per_day,
        generated=bool(request.generated_minutes),
        objective=request.objective,
    )
    files = selection.digest_files(used)
    return Calibrated(write_policies(bundle, calibration, files, request.out), calibration)


def write_policies(
    bundle: Bundle,
    calibration: Calibration,
    files: Sequence[str] = (),
    out: Path | None = None,
) -> Bundle:
    """The bundle with these policies as its next version, at `out` or in its own place.

    The calibration and the SHA-256 of the `files` that it used go into the provenance. An evaluation and
    a report with older policies are dropped, because they are of other events.

    Raises:
        BundleError: `out` holds something else.
        TargetError: it cannot be written.
    """
    known = without(provenance_of(bundle.manifest), "evaluation", "station")
    known["calibration"] = to_document(calibration)
    known["calibration_files"] = list(files)
    manifest = replace(
        bundle.manifest,
        version=bundle.manifest.version + 1,
        policies=dict(calibration.policies),
        provenance=dict(known),
    )
    return rewrite_bundle(bundle, manifest, out=out)


def show_calibration(calibration: Calibration) -> None:
    """A row for each label that was heard, then what a person should know before they trust it."""
    rows = [
        (
            found.label,
            f"{found.policy.on_threshold:.3g}",
            f"{found.policy.off_threshold:.3g}",
            f"{found.policy.smoothing_seconds:g}",
            percent(found.point.counts.recall),
            percent(found.point.counts.precision),
            "none given" if found.ambient is None else str(found.ambient.alarms),
        )
        for found in calibration.findings
        if found.point is not None
    ]
    show_table(("label", "on", "off", "median, s", "recall", "precision", "ambient alarms"), rows)
    for remark in calibration.remarks:
        log.warning("%s", remark)
