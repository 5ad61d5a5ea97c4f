"""The inference thread: chunks of all sources -> patches, in batches -> scores -> events.

The front end runs here, too: on one thread its tables stay in the cache, and no thread waits for the
interpreter's lock, which with 64 sources costs half of what the front end costs on their own threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import AudioChunk, ConditionLimits
from listener.detection.clip import ClipError
from listener.detection.features import Content, Patch
from listener.detection.scores import Scores
from listener.engines.engine import Engine, EngineError, front_end_of, infer_of, same_input
from listener.health import Health
from listener.pipeline.chunk_queue import ChunkQueue
from listener.pipeline.plan import Detection, DetectionPlan
from listener.pipeline.source_state import ScoresTap, SourceState, Step
from listener.sinks.sink import BundleNotice, Notice

_IDLE_SECONDS = 1.0  # how long the thread may wait before it shows that it is alive
_DEFAULT_LIMITS = ConditionLimits()

Deliver = Callable[[Sequence[Notice]], None]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    source: str
    seconds: float
    clip_id: Future[str] = field(default_factory=Future)


class SnapshotRequests:
    """Requests for the last seconds of a source: any thread asks, the inference thread answers."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[_Snapshot] = SimpleQueue()

    def ask(self, source: str, seconds: float) -> Future[str]:
        """The id of the clip to be, or ClipError; a request that is cancelled in time has no effect."""
        snapshot = _Snapshot(source, seconds)
        self._asked.put(snapshot)
        return snapshot.clip_id

    def answer(self, take: Callable[[str, float], str]) -> None:
        """Answer all requests; `take` gives a clip's id for source and seconds, or ClipError."""
        while not self._asked.empty():  # one thread answers: nobody else empties it
            snapshot = self._asked.get_nowait()
            if not snapshot.clip_id.set_running_or_notify_cancel():
                continue  # cancelled meanwhile
            try:
                snapshot.clip_id.set_result(take(snapshot.source, snapshot.seconds))
            except Exception as error:  # noqa: BLE001 - a command must not end the analysis
                snapshot.clip_id.set_exception(error)


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
        limits: ConditionLimits = _DEFAULT_LIMITS,
    ) -> None:
        self.wanted: Detection | None = None
        """What to work with from the next batch on; any thread may set it, the newest counts."""
        self._applied: Detection | None = None
        self.snapshots = SnapshotRequests()
        self._engine, self._plan, self._queue = engine, plan, chunks
        self._health, self._deliver = health, deliver
        self._max_batch, self._max_wait_seconds = max_batch, max_wait_seconds
        self._buffer: Content = np.empty(0, np.float32)  # of batches
        front_end = front_end_of(engine, plan.params)
        self._sources = {
            name: SourceState(name, plan, source, front_end, tap, chunks.grids, limits)
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
            wanted = self.wanted
            if wanted is not None and wanted is not self._applied:
                self._apply(wanted)
            self.snapshots.answer(self._snapshot)
            self._process(
                [step for item in items for step in self._sources[item.source].split(item)]
            )
            if not items and self._queue.closed:
                break
        for source in self._sources.values():
            source.shut_down()
        self._deliver_all(self._sources)

    def _apply(self, wanted: Detection) -> None:
        self._applied = wanted
        if wanted.engine is self._engine:
            for source in self._sources.values():
                source.adjust(wanted.plan)
            return
        front_end = None
        alike = same_input(self._engine, wanted.engine)
        if wanted.plan.params != self._plan.params or not alike:
            front_end = front_end_of(wanted.engine, wanted.plan.params)
            self._process([p for source in self._sources.values() for p in source.flush()])
        self._engine, self._plan = wanted.engine, wanted.plan
        self._health.labels, self._health.bundle = tuple(wanted.plan.policies), wanted.plan.bundle
        for source in self._sources.values():
            source.change_bundle(wanted.plan, front_end)
        self._deliver_all(self._sources)
        groups = wanted.plan.group_labels
        self._deliver([BundleNotice(wanted.manifest, self._health.labels, time.time(), groups)])

    def _snapshot(self, source: str, seconds: float) -> str:
        if source not in self._sources:
            raise ClipError(f"snapshot: expected a source of the station, got {source[:64]!r}")
        clip_id = self._sources[source].snapshot(seconds)
        self._deliver_all([source])
        return clip_id

    def _process(self, steps: Sequence[Step]) -> None:
        patches = [step for step in steps if isinstance(step, Patch)]
        rows = iter(self._infer(patches)) if patches else iter(())
        for step in steps:
            source = self._sources[step.source]
            if isinstance(step, Patch):
                source.push(step, *next(rows))
            elif isinstance(step, AudioChunk):
                source.push_audio(step)
            else:
                source.end(step)
        self._deliver_all(dict.fromkeys(step.source for step in steps))

    def _infer(
        self, patches: list[Patch]
    ) -> zip[tuple[Scores, NDArray[np.float32], np.bool_, Scores]]:
        began = time.perf_counter()
        shape = (len(patches), *patches[0].content.shape)
        if len(self._buffer) < len(patches) or self._buffer.shape[1:] != shape[1:]:
            self._buffer = np.empty(
                shape, np.float32
            )  # kept: new arrays of this size cost page faults
        batch = self._buffer[: len(patches)]
        np.stack([patch.content for patch in patches], out=batch)
        scores, embeddings = infer_of(self._engine)(batch)
        self._health.inference_seconds.observe(time.perf_counter() - began)
        self._health.batch_patches.observe(len(patches))
        if not np.isfinite(scores).all():
            self._health.engine_failed = True
            raise EngineError("the engine gave scores that are not finite numbers")
        clips = self._plan.clips
        private = np.zeros(len(scores), np.bool_) if clips is None else clips.private.heard(scores)
        detected, members = self._plan.columns.scores_of(scores), self._plan.member_scores(scores)
        return zip(detected, embeddings, private, members, strict=True)

    def _deliver_all(self, sources: Iterable[str]) -> None:
        """Deliver all notices of a batch at once: each delivery wakes the sinks' threads."""
        self._deliver([n for source in sources for n in self._sources[source].pop_notices()])
