"""How much audio this machine analyses per second: the real pipeline on noise, as fast as it goes."""

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
_QUEUED_HOPS = 4  # little: what still waits at the end of the run is analysed, too


@dataclass(frozen=True, slots=True)
class Load:
    """Seconds of audio that a run analysed, of the clock, and of processor time over all cores."""

    audio_seconds: float
    wall_seconds: float
    processor_seconds: float

    @property
    def sources(self) -> float:
        """How many sources in real time would have kept this machine busy."""
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
    """Analyse noise from this many sources for `seconds`: front end, engine and events, no sinks."""
    # warm up: the engine prepares each batch size once
    infer_of(engine)(silent_batch(engine, plan.params, min(sources, settings.max_batch)))
    hop_seconds = plan.params.patch_hop_seconds
    settings = settings.model_copy(update={"queue_seconds": _QUEUED_HOPS * hop_seconds})
    health = Health(tuple(plan.policies), plan.bundle)
    noises = [
        SourcePlan(
            name, partial(_NoiseSource, name, plan.params.sample_rate_hz, seconds), lossless=True
        )
        for name in (f"noise{number}" for number in range(sources))
    ]
    pipeline = Pipeline(noises, engine, plan, {}, health, PipelineSettings(settings))
    wall_began, processor_began = time.monotonic(), time.process_time()
    pipeline.run_to_end()
    wall, processor = time.monotonic() - wall_began, time.process_time() - processor_began
    patches = sum(source.patches for source in health.sources.values())
    return Load(patches * hop_seconds, wall, processor)


class _NoiseSource:
    """An `AudioSource` that repeats one second of noise until its time is over."""

    def __init__(self, name: str, sample_rate_hz: int, seconds: float) -> None:
        self._name, self._rate_hz = name, sample_rate_hz
        self._noise = _NOISE_RMS * np.random.default_rng(0).standard_normal(
            sample_rate_hz, np.float32
        )
        self._ends_at = time.monotonic() + seconds
        self._position = 0

    def read(self, seconds: float) -> AudioChunk | None:
        """The next samples, at most a second of them."""
        if time.monotonic() >= self._ends_at:
            return None
        start, samples = self._position, self._noise[: max(1, round(seconds * self._rate_hz))]
        self._position += len(samples)
        return AudioChunk(self._name, start, start / self._rate_hz, self._rate_hz, samples)

    def close(self) -> None:
        """Nothing to release."""
