"""`trainer evaluate`: a bundle and data in, its report out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from listener.detection.bundle import Bundle
from trainer.data.clips import ClipTable
from trainer.data.formats import read_clips
from trainer.errors import TargetError
from trainer.evaluation.evaluate import Evaluation, evaluate_bundle
from trainer.evaluation.false_alarms import ambient_files, score_ambient
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import Scorer, open_scorer
from trainer.evaluation.selection import (
    TRAINED_OR_TUNED,
    Progress,
    check_unseen,
    choose_clips,
    paths_of,
    seen_paths,
)
from trainer.report.document import EvaluationRun, describe_run, summarise
from trainer.report.examples import show
from trainer.report.html import PAGE_FILE, ReportContext, make_report
from trainer.report.model_card import EVALUATION
from trainer.report.rewrite import REPORT_DIR, rewrite_bundle, write_files

ReportClips = Callable[[str], Progress]  # what is being scored -> how far it is


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What `trainer evaluate` is asked for; no folds means those of which the bundle saw no clip.

    `robust`: also in noise, reverb and at other levels. `report` is where the report goes, the bundle
    itself if it is None.
    """

    bundle: Bundle
    data: tuple[Path, ...]
    folds: tuple[int, ...] = ()
    ambient: tuple[Path, ...] = ()
    robust: bool = True
    allow_seen: bool = False
    report: Path | None = None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The report's page, and what was found."""

    page: Path
    matter: ReportContext


def evaluate_on_data(request: EvaluationRequest, report: ReportClips) -> Evaluated:
    """Score, judge, draw, write.

    Raises:
        DataError: data that cannot be used, or that the bundle learnt from.
        BundleError: the model cannot be run.
        TargetError: the report cannot be written.
    """
    if request.report is not None:
        _write_beside(request.report, {})  # before minutes are spent on what has no place
    table = _choose(request)
    ambient = ambient_files(request.ambient)
    if not request.allow_seen:
        check_unseen(request.bundle, {*paths_of(table), *ambient})
    scorer = open_scorer(request.bundle)
    quiet = score_ambient(scorer, ambient, report("scoring ambient audio")) if ambient else []
    evaluation = _evaluate(request, table, scorer, quiet, report("scoring clips"))
    matter = ReportContext(
        manifest=request.bundle.manifest,
        evaluation=evaluation,
        occasion=_occasion(request, table),
        shown=tuple(show(each, request.bundle, scorer) for each in evaluation.examples),
    )
    return Evaluated(_write(request, matter), matter)


def _occasion(request: EvaluationRequest, table: ClipTable) -> EvaluationRun:
    folds = [clip.fold for clip in table.clips]
    seen = seen_paths(request.bundle, paths_of(table), TRAINED_OR_TUNED)
    return describe_run(request.data, folds, request.ambient, seen=bool(seen))


def _choose(request: EvaluationRequest) -> ClipTable:
    table = read_clips(request.data)
    if request.allow_seen and not request.folds:
        return table
    return choose_clips(request.bundle, table, request.folds, TRAINED_OR_TUNED)


def _evaluate(
    request: EvaluationRequest,
    table: ClipTable,
    scorer: Scorer,
    ambient: list[ScoredFile],
    progress: Progress,
) -> Evaluation:
    return evaluate_bundle(
        request.bundle,
        table,
        ambient=ambient,
        robust=request.robust,
        allow_seen=True,  # looked already, at the ambient audio as well
        scorer=scorer,
        progress=progress,
    )


def _write(request: EvaluationRequest, matter: ReportContext) -> Path:
    """The path of the page."""
    files = make_report(matter)
    if request.report is not None:
        return _write_beside(request.report, files)
    found = summarise(matter.evaluation, matter.occasion)
    manifest = request.bundle.manifest
    judged = replace(manifest, provenance=manifest.provenance | {EVALUATION: found})
    rewrite_bundle(request.bundle, judged, files)
    return request.bundle.path / REPORT_DIR / PAGE_FILE


def _write_beside(folder: Path, files: dict[str, bytes]) -> Path:
    try:
        write_files(folder, files)
    except OSError as error:
        raise TargetError(f"{folder}: cannot be written: {error.strerror}") from error
    return folder / PAGE_FILE
