"""One thread a source: read -> resample -> cut at patch ends -> queue; lost sources are opened again."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from threading import Event

from listener.config.sources import BackoffSettings
from listener.detection.audio import AudioChunk, ChunkResampler, zero_nonfinite
from listener.detection.framing import PatchCutter
from listener.detection.params import FeatureParams
from listener.health import SourceHealth
from listener.pipeline.chunk_queue import ChunkQueue, StreamEnd
from listener.sources.source import AudioSource, SourceError

log = logging.getLogger(__name__)

_CALM_SECONDS = 60.0  # without a drop for so long, the next one is news again
_LEAST_READ_SECONDS = 0.01  # the resampler holds some samples back; no reads of one sample for them


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """How a source is run.

    `lossless`: a full queue makes it wait (files read at once), else its older half is dropped.
    `restarts`: after a loss it is opened again, for ever; else its first loss is its end.
    `rest_limit_seconds`: it rests no longer before that, whatever the back-off allows.
    """

    name: str
    open: Callable[[], AudioSource]
    lossless: bool = False
    restarts: bool = True
    rest_limit_seconds: float = math.inf


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where chunks end: with the patches of `params`, the first of which began at `origin`."""

    params: FeatureParams
    origin: int


class Capture:
    """Runs one source until it ends, or until `stop` is set."""

    def __init__(
        self,
        plan: SourcePlan,
        params: FeatureParams,
        chunks: ChunkQueue,
        health: SourceHealth,
        backoff: BackoffSettings,
        stop: Event,
    ) -> None:
        self._plan, self._cut, self._queue = plan, _Cut(params, 0), chunks
        self._health, self._backoff, self._stop = health, backoff, stop
        self._failures = 0  # in a row, without a patch between
        self._dropped_at = -math.inf  # monotonic

    def recut(self, params: FeatureParams, origin: int) -> None:
        """From the next read on, end chunks where patches of `params` do that began at `origin`."""
        self._cut = _Cut(params, origin)

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
        stream = _Stream(self._plan.name, self._cut, self._health)
        end = self._play(stream)
        for chunk in stream.finish():
            self._put(chunk)
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
            stream.follow(self._cut)
            chunk = source.read(max(stream.missing_seconds, _LEAST_READ_SECONDS))
            self._health.beat()
            if chunk is None:
                return self._end("end_of_stream")
            for whole in stream.push(chunk):
                if self._put(whole):
                    stream.realign()
                self._failures = 0
        return self._end("shutdown")

    def _put(self, chunk: AudioChunk) -> int:
        dropped = self._queue.put(chunk, lossless=self._plan.lossless)
        self._health.dropped += dropped
        if dropped:
            self._tell_dropped(dropped)
        return dropped

    def _tell_dropped(self, dropped: int) -> None:
        now = time.monotonic()
        if now - self._dropped_at > _CALM_SECONDS:  # once an episode
            log.warning(
                "source %s: analysis is %d patches behind, %d are dropped",
                self._plan.name,
                2 * dropped,
                dropped,
            )
        self._dropped_at = now

    def _announce(self, end: StreamEnd) -> None:
        if end.reason != "source_lost":
            log.info("source %s: %s", end.source, end.reason.replace("_", " "))
        elif self._failures == 0:  # once an episode, not once a try
            log.warning("source %s: lost: %s", end.source, end.detail)

    def _rest_seconds(self) -> float:
        doubled = self._backoff.first_seconds * 2.0 ** min(self._failures - 1, 16)
        limit = min(self._backoff.limit_seconds, self._plan.rest_limit_seconds)
        return min(doubled, limit) * random.uniform(0.5, 1.0)


class _Stream:
    """The chunks of one open source: made finite, resampled, cut at the ends of patches."""

    def __init__(self, name: str, cut: _Cut, health: SourceHealth) -> None:
        self._name, self._cut, self._health = name, cut, health
        self._resampler = ChunkResampler(cut.params.sample_rate_hz)
        self._cutter = PatchCutter(cut.params)
        self._last: AudioChunk | None = None
        self._nonfinite = False

    @property
    def missing_seconds(self) -> float:
        """Audio still to come until the next patch is whole."""
        return self._cutter.missing_samples / self._resampler.sample_rate_hz

    @property
    def ended_at(self) -> float:
        """Time after the last sample; now, if there was none."""
        return time.time() if self._last is None else self._last.ended_at

    def push(self, chunk: AudioChunk) -> list[AudioChunk]:
        if self._last is not None and chunk.start != self._last.end:
            self._health.overflows += 1
        self._last = chunk.tail
        return self._cutter.push(self._resampler.push(self._made_finite(chunk)))

    def follow(self, cut: _Cut) -> None:
        if cut is not self._cut:
            self._cut = cut
            self._cutter.follow(cut.params, cut.origin)

    def realign(self) -> None:
        self._cutter.realign()

    def _made_finite(self, chunk: AudioChunk) -> AudioChunk:
        samples, nonfinite = zero_nonfinite(chunk.samples)
        if not nonfinite:
            return chunk
        self._health.nonfinite_samples += nonfinite
        if not self._nonfinite:  # once a stream
            log.warning("source %s: samples that are not finite, taken as silence", self._name)
        self._nonfinite = True
        return replace(chunk, samples=samples)

    def finish(self) -> list[AudioChunk]:
        if self._last is None:
            return []
        return self._cutter.push(self._resampler.finish(self._last)) + self._cutter.finish()
