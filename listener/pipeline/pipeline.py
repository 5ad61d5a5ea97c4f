"""The whole flow of a station: starts its threads, watches them, stops them in order."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Event, Thread

from listener.config.engine import EngineSettings
from listener.config.sources import BackoffSettings, ConditionSettings
from listener.detection.audio import ConditionLimits
from listener.engines.engine import Engine
from listener.health import Health
from listener.pipeline import chunk_queue, inference, source_state
from listener.pipeline.capture import Capture, SourcePlan
from listener.pipeline.delivery import Delivery
from listener.pipeline.plan import Detection, DetectionPlan
from listener.sinks.sink import Notice, Sink

log = logging.getLogger(__name__)

_CAPTURE_JOIN_SECONDS = 1.2  # a read returns within a second, but for a stream that hangs
_DRAIN_JOIN_SECONDS = 0.8
_MIN_QUEUED_CHUNKS = 4


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """The settings of the flow."""

    engine: EngineSettings = field(default_factory=EngineSettings)
    backoff: BackoffSettings = field(default_factory=BackoffSettings)
    condition: ConditionSettings = field(default_factory=ConditionSettings)


class Pipeline:
    """source -> patches -> scores -> events -> sinks, on threads with bounded queues between.

    What fails in a source or a sink stays there. `failure` is what ended the analysis, which works for all
    of them; or, if every source is lossless, a sink: then less than everything would be delivered.
    """

    def __init__(
        self,
        sources: Sequence[SourcePlan],
        engine: Engine,
        plan: DetectionPlan,
        sinks: Mapping[str, Sink],
        health: Health,
        settings: PipelineSettings,
        tap: source_state.ScoresTap | None = None,
    ) -> None:
        self._health, self._settings = health, settings
        self._stop = Event()
        self.failure: BaseException | None = None
        for source in sources:
            health.add_source(source.name)
        lossless = all(source.lossless for source in sources)
        self._hop_seconds = plan.params.patch_hop_seconds
        self._deliveries = [
            Delivery(name, sink, health, lossless=lossless) for name, sink in sinks.items()
        ]
        capacity = _queue_capacity(settings.engine, plan)
        self._chunks = chunk_queue.ChunkQueue(health.sources, capacity, plan.params)
        self._inference = inference.Inference(
            engine,
            plan,
            self._chunks,
            health,
            self._deliver,
            max_batch=settings.engine.max_batch,
            max_wait_seconds=settings.engine.max_wait_ms / 1000,
            tap=tap,
            limits=ConditionLimits(**settings.condition.model_dump()),
        )
        captures = {
            source.name: Capture(
                source, self._chunks, health.sources[source.name], settings.backoff, self._stop
            )
            for source in sources
        }
        self._capture_threads = [
            self._thread(f"capture:{name}", capture.run) for name, capture in captures.items()
        ]
        self._inference_thread = self._thread("inference", self._inference.run)
        self._sink_threads = [self._thread(f"sink:{d.name}", d.run) for d in self._deliveries]

    def _thread(self, name: str, body: Callable[[], None]) -> Thread:
        # daemon: a stream that hangs in a read must not keep the process from ending
        return Thread(name=name, target=self._guarded, args=(body,), daemon=True)

    def _guarded(self, body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:
            self.failure = self.failure or error
            self._stop.set()
            self._chunks.close()  # a lossless capture would wait for ever for space
            raise

    def _deliver(self, notices: Sequence[Notice]) -> None:
        for delivery in self._deliveries:
            delivery.put(notices)

    def adopt(self, detection: Detection) -> None:
        """Work with this from the next batch on; no patch is lost, open events of another bundle end.

        It has the sample rate of the plan before.
        """
        self._chunks.capacity = _queue_capacity(self._settings.engine, detection.plan)
        self._inference.wanted = detection

    def notify(self, notice: Notice) -> None:
        """Hand the sinks a notice that does not come from the audio; does not block."""
        for delivery in self._deliveries:
            delivery.put([notice], may_wait=False)

    def snapshot(self, source: str, seconds: float) -> Future[str]:
        """Keep the last seconds of a source; the id of their clip, or ClipError, before long."""
        return self._inference.snapshots.ask(source, seconds)

    def start(self) -> None:
        """Start all threads, the last stage first.

        Sources start in groups of a batch, spread over a patch hop: the patches of a group are complete at
        the same time in each hop, and those of the next group when the batch before has been analysed.
        """
        for thread in (*self._sink_threads, self._inference_thread):
            thread.start()
        size, count = self._settings.engine.max_batch, len(self._capture_threads)
        starts = range(0, count, size)
        for start in starts:
            if start:
                self._stop.wait(self._hop_seconds / len(starts))
            for thread in self._capture_threads[start : start + size]:
                thread.start()

    @property
    def ended(self) -> bool:
        """Every source has ended, or there is a `failure`."""
        captured = not any(thread.is_alive() for thread in self._capture_threads)
        return captured or self.failure is not None

    def run_to_end(self) -> None:
        """Start, and return when every source has been analysed to its end.

        Raises:
            BaseException: what ended a thread.
        """
        self.start()
        _join(self._capture_threads, None)
        self.stop()
        if self.failure is not None:
            raise self.failure

    def tick(self) -> None:
        """Bring the queue depths in health up to date; a few times a second."""
        self._health.queue_depths |= {"inference": len(self._chunks)} | {
            f"sink:{delivery.name}": delivery.depth for delivery in self._deliveries
        }

    def stop(self) -> bool:
        """Stop sources, inference and sinks, in order; True if all threads ended in time.

        Sources that have ended by themselves are analysed to their end, however long it takes.
        """
        whole = self.ended and self.failure is None
        drain_seconds = None if whole else _DRAIN_JOIN_SECONDS
        self._stop.set()
        _join(self._capture_threads, _CAPTURE_JOIN_SECONDS)
        self._chunks.close()
        _join([self._inference_thread], drain_seconds)
        for delivery in self._deliveries:
            delivery.finish()
        _join(self._sink_threads, drain_seconds)
        threads = (*self._capture_threads, self._inference_thread, *self._sink_threads)
        late = [thread.name for thread in threads if thread.is_alive()]
        for name in late:
            log.warning("%s: did not stop in time", name)
        return not late


def _join(threads: Sequence[Thread], seconds: float | None) -> None:
    deadline = None if seconds is None else time.monotonic() + seconds
    for thread in threads:
        thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))


def _queue_capacity(engine: EngineSettings, plan: DetectionPlan) -> int:
    patches = round(engine.queue_seconds / plan.params.patch_hop_seconds)
    return max(_MIN_QUEUED_CHUNKS, patches)
