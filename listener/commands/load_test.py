"""How much sound this machine analyses in a second: the real pipeline on noise, as fast as it goes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import numpy as np

from listener.config.engine import EngineSettings
from listener.detection.audio import AudioChunk
from listener.engines.engine import Engine, infer_of, silent_batch
from listener.health import Health
from listener.pipeline.capture import SourcePlan
from listener.pipeline.pipeline import Pipeline, PipelineSettings
from listener.pipeline.plan import DetectionPlan

_NOISE_RMS = 0.03  # -30 dBFS
_QUEUED_HOPS = 4  # what still waits at the end of the run is analysed, too: little


@dataclass(frozen=True, slots=True)
class Load:
    """What a run did: seconds of audio, of the clock, and of processor time over all cores."""

    audio_seconds: float
    wall_seconds: float
    processor_seconds: float

    @property
    def sources(self) -> float:
        """How many sources at the speed of time would have kept this machine busy."""
        return self.audio_seconds / self.wall_seconds

    @property
    def core_ms_per_second(self) -> float:
        """Core-milliseconds for a second of audio of one source."""
        return 1000 * self.processor_seconds / self.audio_seconds


def measure_load(
    engine: Engine,
    plan: DetectionPlan,
    settings: EngineSettings,
    sources: int,
    seconds: float,
) -> Load:
    """Give so many sources noise for `seconds`: front end, engine, smoothing and hysteresis; no sinks."""
    _warm_up(engine, plan, min(sources, settings.max_batch))
    settings = settings.model_copy(
        update={"queue_seconds": _QUEUED_HOPS * plan.params.patch_hop_seconds}
    )
    health = Health(tuple(plan.policies), plan.bundle)
    flow = PipelineSettings(settings)
    pipeline = Pipeline(
        _noisy_sources(sources, plan.params.sample_rate_hz, seconds), engine, plan, {}, health, flow
    )
    began, spent = time.monotonic(), time.process_time()
    pipeline.run_to_end()
    wall, spent = time.monotonic() - began, time.process_time() - spent
    patches = sum(source.patches for source in health.sources.values())
    return Load(patches * plan.params.patch_hop_seconds, wall, spent)


def _warm_up(engine: Engine, plan: DetectionPlan, batch: int) -> None:
    # the first batch of a size is prepared, which a station does once
    infer_of(engine)(silent_batch(engine, plan.params, batch))


def _noisy_sources(count: int, sample_rate_hz: int, seconds: float) -> list[SourcePlan]:
    return [
        SourcePlan(name, partial(_NoiseSource, name, sample_rate_hz, seconds), lossless=True)
        for name in (f"noise{number}" for number in range(count))
    ]


class _NoiseSource:
    """An `AudioSource` of the same second of noise again and again, until its time is over."""

    def __init__(self, name: str, sample_rate_hz: int, seconds: float) -> None:
        self._name, self._rate_hz = name, sample_rate_hz
        self._noise = _NOISE_RMS * np.random.default_rng(0).standard_normal(
            sample_rate_hz, np.float32
        )
        self._ends_at = time.monotonic() + seconds
        self._given = 0

    def read(self, seconds: float) -> AudioChunk | None:
        """The next samples, at most a second of them."""
        if time.monotonic() >= self._ends_at:
            return None
        start, samples = self._given, self._noise[: max(1, round(seconds * self._rate_hz))]
        self._given += len(samples)
        return AudioChunk(self._name, start, start / self._rate_hz, self._rate_hz, samples)

    def close(self) -> None:
        """Nothing to let go of."""
