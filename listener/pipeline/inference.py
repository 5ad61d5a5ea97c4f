"""The inference thread: chunks of all sources -> patches, in batches -> scores -> events.

The front end runs here, too: on one thread its tables stay in the cache and nobody waits for the
interpreter's lock, which with 64 sources costs half of what it does on theirs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import AudioChunk, ConditionLimits
from listener.detection.clip import ClipError
from listener.detection.features import Content, FrontEnd, Patch
from listener.detection.scores import Scores
from listener.engines.engine import Engine, EngineError, front_end_of, infer_of, same_input
from listener.health import Health
from listener.pipeline.chunk_queue import ChunkQueue, Item
from listener.pipeline.plan import Detection, DetectionPlan
from listener.pipeline.source_state import Recut, ScoresTap, SourceState, Step
from listener.sinks.sink import BundleNotice, Notice

_IDLE_SECONDS = 1.0  # how long the thread may sit still before it shows that it is alive


# Requests for the last seconds of a source, answered by the inference thread between two batches.


@dataclass(frozen=True, slots=True)
class _Snapshot:
    source: str
    seconds: float
    clip_id: Future[str] = field(default_factory=Future)


class SnapshotRequests:
    """Any thread asks, one answers."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[_Snapshot] = SimpleQueue()

    def ask(self, source: str, seconds: float) -> Future[str]:
        """The id of the clip to be, or ClipError; one that is cancelled in time is never taken."""
        snapshot = _Snapshot(source, seconds)
        self._asked.put(snapshot)
        return snapshot.clip_id

    def answer(self, take: Callable[[str, float], str]) -> None:
        """Answer all that was asked; `take` gives a clip's id for source and seconds, or ClipError."""
        while (snapshot := self._next()) is not None:
            if not snapshot.clip_id.set_running_or_notify_cancel():
                continue  # refused meanwhile
            try:
                snapshot.clip_id.set_result(take(snapshot.source, snapshot.seconds))
            except ClipError as error:
                snapshot.clip_id.set_exception(error)

    def _next(self) -> _Snapshot | None:
        try:
            return self._asked.get_nowait()
        except Empty:
            return None


_USUAL_LIMITS = ConditionLimits()

Deliver = Callable[[Sequence[Notice]], None]


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
        recut: Recut = lambda _source, _params, _start: None,
        limits: ConditionLimits = _USUAL_LIMITS,
    ) -> None:
        self.wanted: Detection | None = None
        """What to work with from the next batch on; any thread may set it, the newest counts."""
        self._taken: Detection | None = None
        self.snapshots = SnapshotRequests()
        self._engine, self._plan, self._queue = engine, plan, chunks
        self._health, self._deliver = health, deliver
        self._max_batch, self._max_wait_seconds = max_batch, max_wait_seconds
        self._room: Content = np.empty(0, np.float32)
        front_end = front_end_of(engine, plan.params)
        self._sources = {
            name: SourceState(name, plan, source, front_end, tap, recut, limits)
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
            self._take_over(self.wanted)
            self.snapshots.answer(self._take_snapshot)
            self._analyse(items)
            if not items and self._queue.closed:
                break
        for source in self._sources.values():
            source.shut_down()
        self._deliver_all(self._sources)

    def _take_over(self, wanted: Detection | None) -> None:
        if wanted is None or wanted is self._taken:
            return
        self._taken = wanted
        if wanted.engine is not self._engine:
            self._change_bundle(wanted)
        else:
            for source in self._sources.values():
                source.adjust(wanted.plan)

    def _change_bundle(self, wanted: Detection) -> None:
        front_end = self._other_front_end(wanted)
        if front_end is not None:
            rests = [source.take_rest() for source in self._sources.values()]
            self._take_steps([patch for rest in rests for patch in rest])
        self._engine, self._plan = wanted.engine, wanted.plan
        self._health.labels, self._health.bundle = tuple(wanted.plan.policies), wanted.plan.bundle
        for source in self._sources.values():
            source.change_bundle(wanted.plan, front_end)
        self._deliver_all(self._sources)
        groups = wanted.plan.group_labels
        self._deliver([BundleNotice(wanted.manifest, self._health.labels, time.time(), groups)])

    def _other_front_end(self, wanted: Detection) -> FrontEnd | None:
        """The one that the wanted engine needs; None where patches go on as they are."""
        alike = same_input(self._engine, wanted.engine)
        if wanted.plan.params == self._plan.params and alike:
            return None
        return front_end_of(wanted.engine, wanted.plan.params)

    def _take_snapshot(self, source: str, seconds: float) -> str:
        if source not in self._sources:
            raise ClipError(f"snapshot: expected a source of the station, got {source[:64]!r}")
        clip_id = self._sources[source].snapshot(seconds)
        self._deliver_all([source])
        return clip_id

    def _analyse(self, items: list[Item]) -> None:
        self._take_steps([step for item in items for step in self._sources[item.source].cut(item)])

    def _take_steps(self, steps: Sequence[Step]) -> None:
        patches = [step for step in steps if isinstance(step, Patch)]
        rows = iter(self._infer(patches)) if patches else iter(())
        for step in steps:
            source = self._sources[step.source]
            if isinstance(step, Patch):
                source.push(step, *next(rows))
            elif isinstance(step, AudioChunk):
                source.hear(step)
            else:
                source.end(step)
        self._deliver_all(dict.fromkeys(step.source for step in steps))

    def _infer(
        self, patches: list[Patch]
    ) -> zip[tuple[Scores, NDArray[np.float32], np.bool_, Scores]]:
        began = time.perf_counter()
        scores, embeddings = infer_of(self._engine)(self._stacked(patches))
        self._health.inference_seconds.observe(time.perf_counter() - began)
        self._health.batch_patches.observe(len(patches))
        if not np.isfinite(scores).all():
            self._health.engine_failed = True
            raise EngineError("the engine gave scores that are not finite numbers")
        clips = self._plan.clips
        private = np.zeros(len(scores), np.bool_) if clips is None else clips.private.heard(scores)
        looked_for, members = self._plan.columns.scores_of(scores), self._plan.member_scores(scores)
        return zip(looked_for, embeddings, private, members, strict=True)

    def _stacked(self, patches: Sequence[Patch]) -> Content:
        """Their contents (B, ...), until the next call: new memory of this size comes page by page."""
        shape = (len(patches), *patches[0].content.shape)
        if len(self._room) < len(patches) or self._room.shape[1:] != shape[1:]:
            self._room = np.empty(shape, np.float32)
        return np.stack([patch.content for patch in patches], out=self._room[: len(patches)])

    def _deliver_all(self, sources: Iterable[str]) -> None:
        """At once for a batch: each hand-over wakes the sinks' threads."""
        self._deliver([n for source in sources for n in self._sources[source].take_notices()])
