"""Plans and pipelines for the doubles, and the chunks that captures would put."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from listener.config.engine import EngineSettings
from listener.config.sources import BackoffSettings
from listener.detection.audio import AudioChunk
from listener.detection.features import Patch, PatchStream
from listener.detection.labels import LabelColumns
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.detection.scores import PatchScores
from listener.engines.engine import Engine
from listener.health import Health
from listener.pipeline.capture import SourcePlan
from listener.pipeline.chunk_queue import Item, StreamEnd
from listener.pipeline.pipeline import Pipeline, PipelineSettings
from listener.pipeline.plan import DetectionPlan
from listener.sinks.sink import Sink
from tests.doubles import LABELS, LoudnessEngine
from tests.listener.detection.waveforms import RATE_HZ, noise

PARAMS = FeatureParams()
POLICY = LabelPolicy(on_threshold=0.5, off_threshold=0.5, smoothing_seconds=0.0)
SMALL_BACKOFF = BackoffSettings(first_seconds=0.001, limit_seconds=0.004)
FLOW = PipelineSettings(EngineSettings(max_wait_ms=0.0), SMALL_BACKOFF)

WINDOW, HOP = 15_600, 7_680  # samples


def make_plan(policy: LabelPolicy = POLICY, labels: tuple[str, ...] = LABELS) -> DetectionPlan:
    """What is looked for: some of the engine's labels, each under the same policy."""
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


def number_of(chunk: AudioChunk) -> int:
    """The number that `chunk` was made with."""
    return max(0, (chunk.end - WINDOW) // HOP)


def analysed(items: Iterable[Item]) -> list[Patch]:
    """The patches of what one capture has put."""
    stream = PatchStream(PARAMS)
    return [
        patch
        for item in items
        for patch in (stream.finish() if isinstance(item, StreamEnd) else stream.push(item))
    ]


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
