"""Plans, chunks and runs of the pipeline and of its inference, with doubles at their ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from listener.config.engine import EngineSettings
from listener.config.sources import BackoffSettings
from listener.detection.audio import AudioChunk, ConditionLimits
from listener.detection.features import Patch, PatchStream
from listener.detection.labels import LabelColumns
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.detection.scores import PatchScores
from listener.engines.engine import Engine
from listener.health import Health
from listener.pipeline.capture import SourcePlan
from listener.pipeline.chunk_queue import ChunkQueue, Item, StreamEnd
from listener.pipeline.inference import Inference
from listener.pipeline.pipeline import Pipeline, PipelineSettings
from listener.pipeline.plan import Detection, DetectionPlan
from listener.sinks.sink import Notice, Sink
from tests.doubles import LABELS, ListSink, LoudnessEngine, NewestEngine
from tests.listener.detection.waveforms import RATE_HZ, noise

PARAMS = FeatureParams()
POLICY = LabelPolicy(on_threshold=0.5, off_threshold=0.5, smoothing_seconds=0.0)
SMALL_BACKOFF = BackoffSettings(first_seconds=0.001, limit_seconds=0.004)
FLOW = PipelineSettings(EngineSettings(max_wait_ms=0.0), SMALL_BACKOFF)
MAX_BATCH, LIMITS = EngineSettings().max_batch, ConditionLimits()

WINDOW, HOP = 15_600, 7_680  # samples


def make_plan(policy: LabelPolicy = POLICY, labels: tuple[str, ...] = LABELS) -> DetectionPlan:
    """A plan for some of the engine's labels, each under the same policy."""
    columns = np.array([LABELS.index(label) for label in labels], np.intp)
    return DetectionPlan(
        PARAMS, dict.fromkeys(labels, policy), LabelColumns(columns), "doubles@1", "test"
    )


def make_health(*sources: str, labels: tuple[str, ...] = LABELS) -> Health:
    """A health with these sources."""
    health = Health(labels, "doubles@1")
    for source in sources:
        health.add_source(source)
    return health


def chunk(number: int, source: str = "hall", *, loud: bool = False) -> AudioChunk:
    """Chunk `number` of a stream, which completes patch `number`: all silent, or white at -20 dBFS."""
    start = 0 if number == 0 else WINDOW + HOP * (number - 1)
    size = WINDOW if number == 0 else HOP
    samples = np.float32(0.1 * loud) * np.sign(noise(size, seed=number))
    return AudioChunk(source, start, start / RATE_HZ, RATE_HZ, samples)


def chunks(pattern: str, source: str = "hall") -> list[AudioChunk]:
    """ "..##" completes two silent patches, then two loud ones."""
    return [chunk(number, source, loud=sign == "#") for number, sign in enumerate(pattern)]


def number_of(chunk: AudioChunk) -> int:
    """The number that `chunk` was made with."""
    return max(0, (chunk.end - WINDOW) // HOP)


def patches_of(items: Iterable[Item]) -> list[Patch]:
    """The patches of the items of one capture."""
    stream = PatchStream(PARAMS)
    return [
        patch
        for item in items
        for patch in (stream.finish() if isinstance(item, StreamEnd) else stream.push(item))
    ]


class Bench:
    """An inference over some items. Each of `changes` is wanted after so many rows."""

    def __init__(
        self,
        *items: Item,
        engine: LoudnessEngine | None = None,
        plan: DetectionPlan | None = None,
        max_batch: int = MAX_BATCH,
        limits: ConditionLimits = LIMITS,
        changes: Mapping[int, Detection] | None = None,
    ) -> None:
        self.plan, self.engine = plan or make_plan(), engine or NewestEngine()
        sources = list(dict.fromkeys(item.source for item in items)) or ["hall"]
        self.health = make_health(*sources, labels=tuple(self.plan.policies))
        self.sink = ListSink()
        self.deliveries: list[Sequence[Notice]] = []
        self.rows: list[PatchScores] = []
        self._changes = changes or {}
        self.queue = ChunkQueue(sources, 1_000, self.plan.params)
        for item in items:
            self.queue.put(item)
        self.inference = Inference(
            self.engine,
            self.plan,
            self.queue,
            self.health,
            self._deliver,
            max_batch=max_batch,
            max_wait_seconds=0.0,
            tap=self._tap,
            limits=limits,
        )

    def _deliver(self, notices: Sequence[Notice]) -> None:
        self.deliveries.append(notices)
        for notice in notices:
            self.sink.handle(notice)

    def _tap(self, row: PatchScores) -> None:
        self.rows.append(row)
        self.inference.wanted = self._changes.get(len(self.rows), self.inference.wanted)

    def run(self) -> Bench:
        """Analyse all items, on this thread."""
        self.queue.close()
        self.inference.run()
        return self

    @property
    def notices(self) -> list[Notice]:
        """All notices, in order."""
        return self.sink.notices

    def rows_of(self, source: str) -> list[PatchScores]:
        """The rows of one source, in order."""
        return [row for row in self.rows if row.source == source]


def make_pipeline(
    plans: Sequence[SourcePlan],
    sinks: Mapping[str, Sink],
    engine: Engine | None = None,
    settings_: PipelineSettings = FLOW,
    tap: list[PatchScores] | None = None,
) -> tuple[Pipeline, Health]:
    """A pipeline that has not started; `tap` is where its scores go."""
    health = Health(LABELS, "doubles@1")
    rows = [] if tap is None else tap
    pipeline = Pipeline(
        plans, engine or LoudnessEngine(), make_plan(), sinks, health, settings_, rows.append
    )
    return pipeline, health
