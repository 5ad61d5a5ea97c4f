"""Overload: "inference lag bounded (drop the oldest patch, counted), never unbounded latency".

Sources run at four times the speed of time into an engine that sleeps; lag is audio that was captured
and is not analysed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.config.engine import EngineSettings
from listener.detection.audio import AudioChunk
from listener.detection.scores import PatchScores
from listener.health import Health
from listener.pipeline.capture import SourcePlan
from listener.pipeline.pipeline import Pipeline, PipelineSettings
from tests.doubles import LABELS, LoudnessEngine, Outputs
from tests.listener.detection.waveforms import RATE_HZ
from tests.listener.pipeline.stages import PARAMS, SMALL_BACKOFF, make_plan
from tests.rigs.mosquitto import wait_until

HOP_SECONDS = PARAMS.patch_hop_seconds
SPEED = 4.0
QUEUE_SECONDS = 3.0
# What waits; what comes while a batch is in the engine; and a while for which a busy machine may hold
# up the thread that looks.
BOUND_SECONDS = QUEUE_SECONDS + 4 * HOP_SECONDS + SPEED * 0.75
RUN_SECONDS = 5.0
# A patch of each source comes each HOP_SECONDS / SPEED = 0.12 s; the engine takes four times as long.
SLOW_SECONDS = 4 * HOP_SECONDS / SPEED


class FastSource:
    """Noise at SPEED times the speed of time, for ever; `captured_seconds` is how much it gave."""

    def __init__(self, name: str) -> None:
        self.captured_seconds = 0.0
        self._name, self._began, self._start = name, time.monotonic(), 0
        self._closed = threading.Event()

    def read(self, seconds: float) -> AudioChunk | None:
        """The next part, when it is due."""
        count = round(seconds * RATE_HZ)
        due = self._began + (self._start + count) / RATE_HZ / SPEED
        if self._closed.wait(max(0.0, due - time.monotonic())):
            return None
        samples = np.full(count, 0.1, np.float32)
        chunk = AudioChunk(self._name, self._start, self._start / RATE_HZ, RATE_HZ, samples)
        self._start = chunk.end
        self.captured_seconds = chunk.ended_at
        return chunk

    def close(self) -> None:
        """End a wait."""
        self._closed.set()


class SleepingEngine(LoudnessEngine):
    """Takes `seconds` for a batch, however small."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """Sleep, then compute."""
        time.sleep(self._seconds)
        return super().infer(patches)


@dataclass
class Overload:
    """What became of sources: by name, how far each patch was behind what was captured by then."""

    health: Health
    lags: dict[str, list[float]]


def run(names: list[str], engine: SleepingEngine, queue_seconds: float) -> Overload:
    """The real pipeline over so many sources, until each has given RUN_SECONDS * SPEED of audio."""
    sources = {name: FastSource(name) for name in names}
    found = Overload(Health(LABELS, "doubles@1"), {name: [] for name in names})

    def tap(row: PatchScores) -> None:
        found.lags[row.source].append(sources[row.source].captured_seconds - row.offset)

    batches = EngineSettings(max_wait_ms=0.0, max_batch=len(names), queue_seconds=queue_seconds)
    settings = PipelineSettings(batches, SMALL_BACKOFF)
    plans = [SourcePlan(name, _opener(source)) for name, source in sources.items()]
    pipeline = Pipeline(plans, engine, make_plan(), {}, found.health, settings, tap)
    pipeline.start()
    try:
        wait_until(
            lambda: all(s.captured_seconds > RUN_SECONDS * SPEED for s in sources.values()),
            60,
            "the audio was captured",
        )
    finally:
        found.lags = {name: list(lags) for name, lags in found.lags.items()}  # not of the stop
        pipeline.stop()
    return found


def _opener(source: FastSource) -> Callable[[], FastSource]:
    return lambda: source


def test_the_lag_of_every_source_stays_under_its_bound_while_drops_are_counted() -> None:
    names = [f"s{number}" for number in range(16)]
    found = run(names, SleepingEngine(SLOW_SECONDS), QUEUE_SECONDS)
    for name in names:
        source = found.health.sources[name]
        assert max(found.lags[name]) < BOUND_SECONDS, name
        assert len(found.lags[name]) >= 3, name  # none is starved
        assert source.dropped > 0
        assert source.missing_samples > 0


def test_with_a_queue_without_a_bound_the_lag_grows_and_grows() -> None:
    """The negative control: the same flow, but nothing is dropped."""
    found = run(["s0"], SleepingEngine(SLOW_SECONDS), queue_seconds=1e6)
    assert found.health.sources["s0"].dropped == 0
    assert max(found.lags["s0"]) > 1.5 * BOUND_SECONDS
    quarters = np.array_split(np.array(found.lags["s0"]), 4)
    means = [float(quarter.mean()) for quarter in quarters]
    assert means == sorted(means)


def test_an_engine_that_keeps_up_drops_nothing() -> None:
    found = run(["s0"], SleepingEngine(0.0), EngineSettings().queue_seconds)
    assert found.health.sources["s0"].dropped == 0
    assert found.health.sources["s0"].missing_samples == 0
