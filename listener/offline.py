"""Analyses a file with the daemon's own pipeline, faster than real time."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.config.sources import FileSettings
from listener.detection.event import SoundEvent
from listener.detection.near_miss import NearestMiss, NearMissFinder
from listener.detection.scores import PatchScores, slot_boundaries
from listener.engines.engine import Engine
from listener.health import Health
from listener.pipeline.capture import SourcePlan
from listener.pipeline.pipeline import Pipeline, PipelineSettings
from listener.pipeline.plan import DetectionPlan
from listener.sinks.sink import EventNotice, Notice, SourceStatus
from listener.sources.file import FileSource

_SOURCE = "file"


@dataclass(frozen=True, slots=True)
class Analysis:
    """Events and scores of a file, in seconds of the file, up to its end or its `fault`.

    `misses` has the best moment of each label without an event. `scores` is float32 (T, K), `boundaries`
    float64 (T + 1,): the time slots of the rows; T is 0 if they were not kept.
    """

    events: list[SoundEvent]
    misses: list[NearestMiss]
    scores: NDArray[np.float32]
    boundaries: NDArray[np.float64]
    fault: str | None


@dataclass(slots=True)
class _Collector:
    """A sink that keeps events, and the end of the source."""

    accepts: tuple[type[Notice], ...] = (EventNotice, SourceStatus)
    events: list[SoundEvent] = field(default_factory=list)
    ended_at: float = 0.0
    ended_why: str | None = None

    def handle(self, notice: Notice) -> None:
        if isinstance(notice, EventNotice) and notice.event.offset is not None:
            self.events.append(notice.event)
        elif isinstance(notice, SourceStatus) and notice.status == "offline":
            self.ended_at, self.ended_why = notice.at, notice.reason

    def close(self) -> None:
        pass


def analyse_file(
    path: Path,
    engine: Engine,
    plan: DetectionPlan,
    settings: PipelineSettings,
    *,
    keep_scores: bool = True,
) -> Analysis:
    """Analyse a file to its end, or as far as it can be read; without scores, in the same memory."""
    source = FileSettings(name=_SOURCE, kind="file", path=path, pace="fast")
    source_plan = SourcePlan(_SOURCE, partial(FileSource, source), lossless=True, restarts=False)
    collector = _Collector()
    rows: list[NDArray[np.float32]] = []
    finder = NearMissFinder(plan.policies, plan.params.patch_hop_seconds)

    def keep(patch: PatchScores) -> None:
        finder.push(patch.scores, patch.onset)
        if keep_scores:
            rows.append(patch.scores.copy())  # a row alone would keep its batch

    health = Health(tuple(plan.policies), plan.bundle)
    pipeline = Pipeline(
        [source_plan], engine, plan, {"collector": collector}, health, settings, keep
    )
    pipeline.run_to_end()
    events = sorted(collector.events, key=lambda event: (event.onset, event.label))
    misses = finder.finish({event.label for event in events})
    fault = collector.ended_why if health.sources[_SOURCE].failed else None
    if not rows:
        return Analysis(events, misses, np.empty((0, 0), np.float32), np.zeros(1), fault)
    boundaries = slot_boundaries(len(rows), collector.ended_at, plan.params)
    return Analysis(events, misses, np.array(rows), boundaries, fault)
