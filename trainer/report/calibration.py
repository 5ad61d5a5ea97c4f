"""`trainer calibrate`: a bundle and validation data in, the bundle with policies out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from listener.detection.bundle import Bundle
from trainer.data.formats import read_clips
from trainer.errors import CalibrationError, DataError
from trainer.evaluation import false_alarms, scored_file, scoring, selection
from trainer.evaluation.calibration import (
    Budget,
    calibrate_bundle,
    score_held_back,
    score_validation,
)
from trainer.evaluation.findings import Calibration, explain_refusal
from trainer.evaluation.regression import read_regression
from trainer.formatting import percent
from trainer.provenance import provenance_of, to_document, without
from trainer.report.rewrite import rewrite_bundle
from trainer.terminal import ReportClips, show_table

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CalibrationRequest:
    """What `trainer calibrate` is asked for; no folds means those that the bundle did not learn from.

    Without data the clips that the bundle holds back are used. Ambient audio is files or folders, or so
    many minutes of generated noise, or none.
    """

    bundle: Bundle
    data: tuple[Path, ...]
    budget: Budget
    ambient: tuple[Path, ...] = ()
    generated_minutes: float = 0.0
    folds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What was found, and the SHA-256 of the files that it was found with."""

    calibration: Calibration
    files: tuple[str, ...]


def calibrate_from_data(request: CalibrationRequest, report: ReportClips) -> Calibrated:
    """Score the clips and choose policies.

    Raises:
        DataError: data that cannot be used, or that the bundle was trained on; or neither data nor clips
            that the bundle holds back.
        BundleError: the model cannot be run.
    """
    bundle, table = request.bundle, None
    if request.data:
        table = read_clips(request.data)
        table = selection.choose_clips(bundle, table, request.folds, selection.TRAINED)
        table = selection.match_classes(table, bundle)
    ambient = false_alarms.ambient_files(request.ambient)
    used = {*(selection.paths_of(table) if table else ()), *ambient}
    selection.check_unseen(bundle, used, selection.TRAINED)
    held = read_regression(bundle)
    if table is None and held is None:
        raise DataError(f"{bundle.id} holds no clips back: expected recordings in --data, got none")
    scorer = scoring.open_scorer(bundle)
    files: tuple[scored_file.ScoredFile, ...] = ()
    if table is not None:
        files = score_validation(scorer, table, bundle.labels, report("scoring clips")).files
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
        files,
        quiet,
        request.budget,
        generated=bool(request.generated_minutes),
        held_back=() if held is None else score_held_back(scorer, held, bundle.labels),
    )
    return Calibrated(calibration, tuple(selection.digest_files(used)))


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
        CalibrationError: a label would be left with less than the least recall; nothing is written.
        BundleError: `out` holds something else.
        TargetError: it cannot be written.
    """
    if (refusal := explain_refusal(calibration)) is not None:
        raise CalibrationError(f"{bundle.id}: {refusal}")
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
    """A row for each label that was heard, what each budget costs, then what to know before trusting it."""
    rows = [
        (
            found.label,
            f"{found.policy.on_threshold:.3g}",
            f"{found.policy.off_threshold:.3g}",
            f"{found.policy.smoothing_seconds:g}",
            percent(None if found.before is None else found.before.recall),
            percent(found.point.counts.recall),
            percent(found.point.counts.precision),
            "none given" if found.ambient is None else str(found.ambient.alarms),
        )
        for found in calibration.findings
        if found.point is not None
    ]
    heads = ("label", "on", "off", "median, s", "recall before", "recall", "precision")
    show_table((*heads, "ambient alarms"), rows)
    heard = [found for found in calibration.findings if found.steps]
    if heard:
        steps = heard[0].steps
        log.info(
            "what a budget, in false alarms a day of all labels, would give: on threshold and recall"
            " (*: over the budget)"
        )
        budgets = (f"{step.false_alarms_per_day:g} a day" for step in steps)
        over = {True: "", False: " *"}
        cells = (
            (
                found.label,
                *(
                    f"{step.on_threshold:.3g}, {percent(step.recall)}{over[step.within_budget]}"
                    for step in found.steps
                ),
            )
            for found in heard
        )
        show_table(("label", *budgets), cells)
    for remark in calibration.remarks:
        log.warning("%s", remark)
