"""`listener replay`: files in, one event a line out."""

import csv
import io
import json
import logging
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
import typer

from listener.adapters import open_engine
from listener.commands.common import choose_bundle
from listener.config.engine import DetectionSettings, EngineSettings
from listener.config.station import Config, ConfigError
from listener.detection.bundle import read_bundle
from listener.detection.event import SoundEvent
from listener.detection.near_miss import NearestMiss, miss_document
from listener.offline import Analysis, analyse_file
from listener.pipeline.pipeline import PipelineSettings
from listener.pipeline.plan import DetectionPlan
from listener.planning import choose_groups, make_detection_plan
from listener.process import ExitCode

_EVENT_ID_NAMESPACE = "replay"
_MOST_MISSES = 3  # of a file
# sed_eval and the DCASE tools read the first four
_CSV_COLUMNS = ("filename", "onset", "offset", "event_label", "peak_score", "mean_score")


class ReplayFormat(StrEnum):
    """The format of a line of output."""

    JSONL = "jsonl"
    CSV = "csv"
    AUDACITY = "audacity"


def replay_files(
    files: Sequence[Path],
    bundle: Path | None,
    config: Config | None,
    form: ReplayFormat,
    scores: Path | None,
    *,
    near_misses: bool = False,
) -> ExitCode:
    """Print the events of each file; USAGE if one of them cannot be read to its end.

    What nearly was an event is told on stderr, or with `near_misses` in JSON lines among the events.

    Raises:
        ConfigError: no bundle is given, several files for an output that holds one, or near misses in
            another format.
        BundleError, EngineError: the bundle cannot be used or run.
    """
    if len(files) > 1 and (scores is not None or form is ReplayFormat.AUDACITY):
        raise ConfigError("--scores and --format audacity: expected one file, got several")
    if near_misses and form is not ReplayFormat.JSONL:
        raise ConfigError(f"--near-misses: expected --format jsonl, got {form}")
    analyse, plan = _prepare(bundle, config)
    if form is ReplayFormat.CSV:
        typer.echo(_csv_line(_CSV_COLUMNS))
    # its header and content may differ; other lines have their own form here
    logging.getLogger("listener.sources.file").setLevel(logging.WARNING)
    exit_code = ExitCode.DONE
    for path in files:
        analysis = analyse(path, scores is not None)
        for event in analysis.events:
            typer.echo(_event_line(path, event, form))
        for miss in _choose_misses(analysis):
            if near_misses:  # without a `label`, so that nobody takes it for an event
                line = {"file": str(path), "near_miss": miss.label, **miss_document(miss)}
                typer.echo(json.dumps(line, ensure_ascii=False))
            else:
                typer.echo(f"{path}: nearest miss: {miss}", err=True)
        if analysis.fault is not None:
            typer.echo(f"listener: {analysis.fault}", err=True)
            exit_code = ExitCode.USAGE
        if scores is not None and (analysis.fault is None or len(analysis.scores)):
            _store_scores(scores, analysis, tuple(plan.policies))
    return exit_code


def _prepare(
    bundle: Path | None, config: Config | None
) -> tuple[Callable[[Path, bool], Analysis], DetectionPlan]:
    """What analyses a file, and the plan with the labels of its scores."""
    opened = read_bundle(choose_bundle(bundle, config))
    detection = config.detection if config else DetectionSettings()
    settings = config.engine if config else EngineSettings()
    # no other source fills a batch, so a batch need not wait
    settings = settings.model_copy(update={"max_wait_ms": 0.0})
    engine = open_engine(opened, settings)
    groups = choose_groups(opened, config) if config else ()
    plan = make_detection_plan(opened, detection, _EVENT_ID_NAMESPACE, groups=groups)
    flow = PipelineSettings(settings)

    def analyse(file: Path, keep_scores: bool) -> Analysis:
        return analyse_file(file, engine, plan, flow, keep_scores=keep_scores)

    return analyse, plan


def _choose_misses(analysis: Analysis) -> list[NearestMiss]:
    """The closest few of a file; where there is neither an event nor one of these, the nearest."""
    close = [miss for miss in analysis.misses if miss.close]
    return close[:_MOST_MISSES] if close or analysis.events else analysis.misses[:1]


def _store_scores(path: Path, analysis: Analysis, labels: tuple[str, ...]) -> None:
    try:
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                scores=analysis.scores,
                boundaries=analysis.boundaries,
                labels=np.array(labels),
            )
    except OSError as error:
        raise ConfigError(f"--scores {path}: cannot be written: {error.strerror}") from error


def _event_line(path: Path, event: SoundEvent, form: ReplayFormat) -> str:
    match form:
        case ReplayFormat.JSONL:
            return _jsonl_line(path, event)
        case ReplayFormat.CSV:
            times = (f"{event.onset:.3f}", f"{event.offset:.3f}")
            scores = (f"{event.peak_score:.4f}", f"{event.mean_score:.4f}")
            return _csv_line((str(path), *times, event.label, *scores))
        case ReplayFormat.AUDACITY:  # a line of a label track (File, Import, Labels)
            return f"{event.onset:.6f}\t{event.offset:.6f}\t{event.label}"


def _jsonl_line(path: Path, event: SoundEvent) -> str:
    return json.dumps(
        {
            "file": str(path),
            "id": event.id,
            "label": event.label,
            "onset": round(event.onset, 3),
            "offset": None if event.offset is None else round(event.offset, 3),
            "peak_score": round(event.peak_score, 4),
            "mean_score": round(event.mean_score, 4),
            "level_dbfs": round(event.level_dbfs, 1),
            "bundle": event.bundle,
            "reason": event.reason,
        },
        ensure_ascii=False,
    )


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
