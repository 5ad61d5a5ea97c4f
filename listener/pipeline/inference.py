"""The inference thread: chunks of all sources -> patches, in batches -> scores -> events.

The front end runs here, too: on one thread its tables stay in the cache and nobody waits for the
interpreter's lock, which with 64 sources costs half of what it does on theirs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import AudioChunk
from listener.detection.event import SoundEvent
from listener.detection.features import Patch, PatchStream
from listener.detection.front_end import FrontEnd, make_front_end
from listener.detection.hysteresis import EventDetector
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.detection.scores import PatchScores, Scores, slot_of
from listener.engines.engine import Engine, EngineError
from listener.health import Health, SourceHealth
from listener.pipeline.chunk_queue import ChunkQueue, Item, StreamEnd
from listener.sinks.sink import EventNotice, Level, Notice, SourceStatus

log = logging.getLogger(__name__)

_IDLE_SECONDS = 1.0  # how long the thread may sit still before it shows that it is alive

Deliver = Callable[[Sequence[Notice]], None]
ScoresTap = Callable[[PatchScores], None]


@dataclass(frozen=True, slots=True)
class DetectionPlan:
    """What is looked for: the columns of the engine's scores that are labels, and their policies."""

    params: FeatureParams
    policies: Mapping[str, LabelPolicy]
    columns: NDArray[np.intp]
    bundle: str
    namespace: str


class _SourceAnalysis:
    """Chunks of one source -> patches, and their scores -> notices, which it collects."""

    def __init__(
        self,
        name: str,
        plan: DetectionPlan,
        health: SourceHealth,
        front_end: FrontEnd,
        tap: ScoresTap | None,
    ) -> None:
        self._name, self._plan, self._health, self._tap = name, plan, health, tap
        self._patches = PatchStream(plan.params, front_end)
        self._notices: list[Notice] = []
        self._detector = EventDetector(
            name,
            plan.policies,
            plan.params.patch_hop_seconds,
            bundle=plan.bundle,
            namespace=plan.namespace,
        )
        self._column = {label: column for column, label in enumerate(self._detector.labels)}
        self._last: Patch | None = None
        self._reported = False
        health.scores = self._detector.smoothed

    def cut(self, item: Item) -> list[Patch | StreamEnd]:
        """The patches that a chunk completes, or that were left when the stream ended."""
        if isinstance(item, AudioChunk):
            return [*self._patches.push(item)]
        return [*self._patches.finish(), item]

    def take_notices(self) -> list[Notice]:
        """What has come up since the last time."""
        notices, self._notices = self._notices, []
        return notices

    def push(self, patch: Patch, scores: Scores, embedding: NDArray[np.float32]) -> None:
        if self._last is not None and patch.start != self._follows(self._last):
            self._finish(self._last.ended_at, "gap")
        first = self._last is None
        onset, offset = slot_of(patch, self._plan.params, first=first)
        self._last = patch
        row = PatchScores(self._name, onset, offset, scores, embedding, patch.level_dbfs)
        heard_at = patch.ended_at
        self._record(patch, heard_at)
        if self._tap is not None:
            self._tap(row)
        self._publish(self._detector.push(row), heard_at)

    def _follows(self, patch: Patch) -> int:
        return patch.start + self._plan.params.patch_hop_samples

    def _record(self, patch: Patch, heard_at: float) -> None:
        health = self._health
        health.patches += 1
        health.last_patch_at = time.time()
        health.level_dbfs = patch.level_dbfs
        if not health.up:
            log.info("source %s: online", self._name)
            self._report("online", heard_at, None)
        self._notices.append(Level(self._name, patch.level_dbfs, patch.peak_dbfs, heard_at))

    def end(self, end: StreamEnd) -> None:
        last, hop_seconds = self._last, self._plan.params.patch_hop_seconds
        if last is not None and end.at > last.ended_at + hop_seconds:
            self._finish(last.ended_at, "gap")  # the chunks between were dropped
        self._finish(end.at, end.reason)
        if self._health.up or not self._reported:  # once an episode, not once a try
            self._report("offline", end.at, end.detail or end.reason)

    def _report(self, status: Literal["online", "offline"], at: float, reason: str | None) -> None:
        self._health.up = status == "online"
        self._reported = True
        self._notices.append(SourceStatus(self._name, status, at, reason))

    def shut_down(self) -> None:
        """The station stops and the source has not ended by itself."""
        if self._last is not None:
            self.end(StreamEnd(self._name, self._last.ended_at, "shutdown"))

    def _finish(self, at: float, reason: str) -> None:
        self._publish(self._detector.finish(at, reason), at)
        self._last = None

    def _publish(self, events: list[SoundEvent], heard_at: float) -> None:
        for event in events:
            column = self._column[event.label]
            self._health.active[column] = event.offset is None
            if event.offset is None:
                self._health.events[column] += 1
            self._notices.append(EventNotice(event, heard_at))


class Inference:
    """Gathers chunks, runs the engine and hands the scores to each source's detector, in order."""

    def __init__(
        self,
        engine: Engine,
        plan: DetectionPlan,
        chunks: ChunkQueue,
        health: Health,
        deliver: Deliver,
        *,
        max_batch: int,
        max_wait_seconds: float,
        tap: ScoresTap | None = None,
    ) -> None:
        self._engine, self._plan, self._queue = engine, plan, chunks
        self._health, self._deliver = health, deliver
        self._max_batch, self._max_wait_seconds = max_batch, max_wait_seconds
        front_end = make_front_end(plan.params)
        self._sources = {
            name: _SourceAnalysis(name, plan, source, front_end, tap)
            for name, source in health.sources.items()
        }

    def run(self) -> None:
        """The thread's body: until the queue is closed and empty.

        Raises:
            EngineError: scores that are not finite; the engine cannot be trusted any more.
        """
        while True:
            items = self._queue.get(self._max_batch, self._max_wait_seconds, _IDLE_SECONDS)
            self._health.beat("inference")
            self._analyse(items)
            if not items and self._queue.closed:
                break
        for source in self._sources.values():
            source.shut_down()
        self._deliver_all(self._sources)

    def _analyse(self, items: list[Item]) -> None:
        steps = [step for item in items for step in self._sources[item.source].cut(item)]
        patches = [step for step in steps if isinstance(step, Patch)]
        rows = iter(self._infer(patches)) if patches else iter(())
        for step in steps:
            source = self._sources[step.source]
            if isinstance(step, Patch):
                source.push(step, *next(rows))
            else:
                source.end(step)
        self._deliver_all(dict.fromkeys(step.source for step in steps))

    def _infer(self, patches: list[Patch]) -> zip[tuple[Scores, NDArray[np.float32]]]:
        began = time.perf_counter()
        scores, embeddings = self._engine.infer(np.stack([patch.log_mel for patch in patches]))
        self._health.inference_seconds.observe(time.perf_counter() - began)
        self._health.batch_patches.observe(len(patches))
        if not np.isfinite(scores).all():
            self._health.engine_failed = True
            raise EngineError("the engine gave scores that are not finite numbers")
        return zip(scores[:, self._plan.columns], embeddings, strict=True)

    def _deliver_all(self, sources: Iterable[str]) -> None:
        """At once for a batch: each hand-over wakes the sinks' threads."""
        self._deliver([n for source in sources for n in self._sources[source].take_notices()])
