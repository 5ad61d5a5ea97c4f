"""One thread a source: read -> resample -> features -> patch queue; lost sources are opened again."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from threading import Event

from listener.config import BackoffSettings
from listener.detection.audio import AudioChunk, ChunkResampler, zero_nonfinite
from listener.detection.features import Patch, PatchStream
from listener.detection.params import FeatureParams
from listener.health import SourceHealth
from listener.pipeline.patch_queue import PatchQueue, StreamEnd
from listener.sources.source import AudioSource, SourceError

log = logging.getLogger(__name__)

_LEAST_READ_SECONDS = 0.01  # the resampler holds some samples back; no reads of one sample for them


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """How a source is run.

    `lossless`: a full queue makes it wait (files read at once), else the oldest patch is dropped.
    `restarts`: after a loss it is opened again, for ever; else its first loss is its end.
    """

    name: str
    open: Callable[[], AudioSource]
    lossless: bool = False
    restarts: bool = True


class Capture:
    """Runs one source until it ends, or until `stop` is set."""

    def __init__(
        self,
        plan: SourcePlan,
        params: FeatureParams,
        patches: PatchQueue,
        health: SourceHealth,
        backoff: BackoffSettings,
        stop: Event,
    ) -> None:
        self._plan, self._params, self._queue = plan, params, patches
        self._health, self._backoff, self._stop = health, backoff, stop
        self._dropping = False
        self._failures = 0  # in a row, without a patch between

    def run(self) -> None:
        """The thread's body."""
        while not self._stop.is_set():
            end = self._run_once()
            if end.reason != "source_lost" or not self._plan.restarts:
                self._health.failed = end.reason == "source_lost"
                break
            self._failures += 1
            if not self._stop.wait(self._rest_seconds()):
                self._health.restarts += 1
        self._health.ended = True

    def _run_once(self) -> StreamEnd:
        self._health.beat()
        stream = _Stream(self._plan.name, self._params)
        end = self._play(stream)
        for patch in stream.finish():
            self._put(patch)
        end = replace(end, at=stream.ended_at)
        self._announce(end)
        self._queue.put(end)
        return end

    def _play(self, stream: _Stream) -> StreamEnd:
        try:
            with closing(self._plan.open()) as source:
                return self._read_all(source, stream)
        except SourceError as error:
            return self._end("source_lost", str(error))

    def _end(self, reason: str, detail: str | None = None) -> StreamEnd:
        return StreamEnd(self._plan.name, time.time(), reason, detail)

    def _read_all(self, source: AudioSource, stream: _Stream) -> StreamEnd:
        while not self._stop.is_set():
            chunk = source.read(max(stream.missing_seconds, _LEAST_READ_SECONDS))
            self._health.beat()
            if chunk is None:
                return self._end("end_of_stream")
            for patch in stream.push(chunk, self._health):
                self._put(patch)
                self._failures = 0
        return self._end("shutdown")

    def _put(self, patch: Patch) -> None:
        if self._queue.put(patch, lossless=self._plan.lossless):
            self._dropping &= len(self._queue) > 1  # an episode ends when nothing else waits
            return
        self._health.dropped += 1
        if not self._dropping:  # once an episode
            log.warning(
                "source %s: analysis is behind, its oldest patches are dropped", self._plan.name
            )
        self._dropping = True

    def _announce(self, end: StreamEnd) -> None:
        self._dropping = False
        if end.reason != "source_lost":
            log.info("source %s: %s", end.source, end.reason.replace("_", " "))
        elif self._failures == 0:  # once an episode, not once a try
            log.warning("source %s: lost: %s", end.source, end.detail)

    def _rest_seconds(self) -> float:
        doubled = self._backoff.first_seconds * 2.0 ** min(self._failures - 1, 16)
        return min(doubled, self._backoff.limit_seconds) * random.uniform(0.5, 1.0)


class _Stream:
    """The chunks of one open source, through resampler and front end."""

    def __init__(self, name: str, params: FeatureParams) -> None:
        self._name = name
        self._resampler = ChunkResampler(params.sample_rate_hz)
        self._patches = PatchStream(params)
        self._last: AudioChunk | None = None
        self._nonfinite = False

    @property
    def missing_seconds(self) -> float:
        """Audio still to come until the next patch is whole."""
        return self._patches.missing_samples / self._resampler.sample_rate_hz

    @property
    def ended_at(self) -> float:
        """Time after the last sample; now, if there was none."""
        return time.time() if self._last is None else self._last.ended_at

    def push(self, chunk: AudioChunk, health: SourceHealth) -> list[Patch]:
        if self._last is not None and chunk.start != self._last.end:
            health.overflows += 1
        self._last = chunk
        return self._patches.push(self._resampler.push(self._made_finite(chunk, health)))

    def _made_finite(self, chunk: AudioChunk, health: SourceHealth) -> AudioChunk:
        samples, nonfinite = zero_nonfinite(chunk.samples)
        health.nonfinite_samples += nonfinite
        if nonfinite and not self._nonfinite:  # once a stream
            log.warning("source %s: samples that are not finite, taken as silence", self._name)
        self._nonfinite |= nonfinite > 0
        return replace(chunk, samples=samples) if nonfinite else chunk

    def finish(self) -> list[Patch]:
        if self._last is None:
            return []
        tail = self._resampler.finish(self._last)
        return self._patches.push(tail) + self._patches.finish()
