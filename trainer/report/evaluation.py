"""`trainer evaluate`: a bundle and data in, its report out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from listener.detection.bundle import Bundle
from trainer.data.files import find_licence
from trainer.data.formats import read_clips
from trainer.errors import TargetError
from trainer.evaluation import examples, false_alarms, scoring, selection
from trainer.evaluation.evaluate_bundle import evaluate_bundle
from trainer.report.html import PAGE_FILE, EvaluationRun, ReportContext, make_report
from trainer.report.rewrite import REPORT_DIR, rewrite_bundle, write_files
from trainer.terminal import ReportClips


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What `trainer evaluate` is asked for; no folds means those of which the bundle saw no clip.

    `robust`: also in noise, reverb, at other levels and bandwidths. `report` is where the report goes, the
    bundle itself if it is None.
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
    """The path of the report's page, and what the report shows."""

    page: Path
    context: ReportContext


def evaluate_on_data(request: EvaluationRequest, report: ReportClips) -> Evaluated:
    """Score the clips, measure, and write the report.

    Raises:
        DataError: data that cannot be used, or that the bundle was trained or tuned on.
        BundleError: the model cannot be run.
        TargetError: the report cannot be written.
    """
    bundle, keys = request.bundle, selection.TRAINED_OR_TUNED
    if request.report is not None:
        _write_beside(request.report, {})  # fails now and not after minutes of scoring
    table = read_clips(request.data)
    if request.folds or not request.allow_seen:
        table = selection.choose_clips(bundle, table, request.folds, keys)
    paths, ambient = selection.paths_of(table), false_alarms.ambient_files(request.ambient)
    if not request.allow_seen:
        selection.check_unseen(bundle, {*paths, *ambient})
    scorer = scoring.open_scorer(bundle)
    quiet = (
        false_alarms.score_ambient(scorer, ambient, report("scoring ambient audio"))
        if ambient
        else []
    )
    evaluation = evaluate_bundle(
        bundle,
        table,
        ambient=quiet,
        robust=request.robust,
        allow_seen=True,  # checked above, together with the ambient audio
        scorer=scorer,
        progress=report("scoring clips"),
    )
    seen = bool(selection.seen_paths(bundle, paths, keys))
    folds = [clip.fold for clip in table.clips]
    context = ReportContext(
        manifest=bundle.manifest,
        evaluation=evaluation,
        run=describe_run(request.data, folds, request.ambient, seen=seen),
        examples=tuple(examples.load_example(each, bundle, scorer) for each in evaluation.examples),
    )
    return Evaluated(_write(request, context), context)


def describe_run(
    data: Sequence[Path], folds: Sequence[int], ambient: Sequence[Path], *, seen: bool
) -> EvaluationRun:
    """An evaluation that is made now."""
    return EvaluationRun(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        data=tuple(map(str, data)),
        folds=tuple(sorted(set(folds))),
        ambient=tuple(map(str, ambient)),
        licences={str(path): find_licence(path) for path in data},
        seen=seen,
    )


def _write(request: EvaluationRequest, context: ReportContext) -> Path:
    """The path of the page, in a folder of its own or in the bundle."""
    files = make_report(context)
    if request.report is not None:
        return _write_beside(request.report, files)
    manifest = request.bundle.manifest
    known = manifest.provenance | {"evaluation": context.summary()}
    rewrite_bundle(request.bundle, replace(manifest, provenance=known), files)
    return request.bundle.path / REPORT_DIR / PAGE_FILE


def _write_beside(folder: Path, files: dict[str, bytes]) -> Path:
    try:
        write_files(folder, files)
    except OSError as error:
        raise TargetError(f"{folder}: cannot be written: {error.strerror}") from error
    return folder / PAGE_FILE
