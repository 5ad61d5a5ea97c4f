"""One thread a source: read -> resample -> cut at patch ends -> queue; lost sources are opened again.

Whatever is raised on that thread is a loss of this source, and of no other.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from threading import Event

from listener.backoff import Backoff
from listener.config.sources import BackoffSettings
from listener.detection.audio import AudioChunk, ChunkResampler, zero_nonfinite
from listener.detection.framing import PatchCutter, PatchGrid
from listener.faults import SUMMARY_SECONDS, describe, trace_of
from listener.health import SourceHealth
from listener.pipeline.chunk_queue import ChunkQueue, StreamEnd
from listener.sources.source import AudioSource, SourceError

log = logging.getLogger(__name__)

# With audio for so long a source is stable: the next loss begins a new episode, in the back-off and in
# the log. One that plays two seconds and closes is opened ever more rarely, like one that never opens.
STABLE_SECONDS = 60.0
_CALM_SECONDS = 60.0  # a drop is logged if there was none for so long before
_MIN_READ_SECONDS = (
    0.01  # the resampler holds some samples back; no reads of single samples for them
)


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """How a source is run.

    `lossless`: a full queue makes it wait (files read faster than real time), else its older half is
    dropped. `restarts`: it is opened again after each loss, else its first loss is its end.
    `backoff_limit_seconds`: the longest wait before that, whatever the back-off allows.
    """

    name: str
    open: Callable[[], AudioSource]
    lossless: bool = False
    restarts: bool = True
    backoff_limit_seconds: float = math.inf


class Capture:
    """Runs one source until it ends, or until `stop` is set; `now` is monotonic."""

    def __init__(
        self,
        plan: SourcePlan,
        chunks: ChunkQueue,
        health: SourceHealth,
        backoff: BackoffSettings,
        stop: Event,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan, self._queue, self._health, self._stop = plan, chunks, health, stop
        self._backoff = Backoff(backoff.first_seconds, backoff.limit_seconds)
        self._losses, self._now = LossLog(plan.name, health, now), now
        self._dropped_at = -math.inf  # monotonic

    def run(self) -> None:
        """The thread's body."""
        while not self._stop.is_set():
            end = self._run_once()
            if end.reason != "source_lost" or not self._plan.restarts:
                self._health.failed = end.reason == "source_lost"
                break
            seconds = self._backoff.next_seconds(self._plan.backoff_limit_seconds)
            if not self._stop.wait(seconds):
                self._health.restarts += 1
        self._health.ended = True

    def _run_once(self) -> StreamEnd:
        """Open the source and read it until it ends, is lost or the station stops."""
        self._health.beat()
        name, reason, detail = self._plan.name, "source_lost", None
        stream, known, unexpected = _Stream(name, self._queue.grids[name], self._health), None, None
        try:
            with closing(self._plan.open()) as source:
                reason = self._read_all(source, stream)
        except SourceError as error:
            known = error
        except Exception as error:  # noqa: BLE001 - of a library: it must not stop other sources
            unexpected = error
        try:
            for chunk in stream.finish():
                self._put(chunk)
        except Exception as error:  # noqa: BLE001
            unexpected = unexpected or error
        if unexpected is not None or known is not None:
            reason = "source_lost"
            detail = describe(unexpected) if unexpected is not None else str(known)
            self._losses.add(detail, unexpected, heard=stream.heard)
        else:
            log.info("source %s: %s", name, reason.replace("_", " "))
        end = StreamEnd(name, stream.ended_at, reason, detail)
        self._queue.put(end)
        return end

    def _read_all(self, source: AudioSource, stream: _Stream) -> str:
        """Why the stream ended."""
        heard_since: float | None = None
        while not self._stop.is_set():
            stream.cutter.follow(self._queue.grids[self._plan.name])
            chunk = source.read(max(stream.missing_seconds, _MIN_READ_SECONDS))
            self._health.beat()
            if chunk is None:
                return "end_of_stream"
            for whole in stream.push(chunk):
                if self._put(whole):
                    stream.cutter.realign()
                heard_since = self._now() if heard_since is None else heard_since
                if self._now() - heard_since >= STABLE_SECONDS:
                    self._backoff.reset()
                    self._losses.end_episode()
        return "shutdown"

    def _put(self, chunk: AudioChunk) -> bool:
        """Whether older chunks were dropped for it."""
        dropped = self._queue.put(chunk, lossless=self._plan.lossless)
        if not dropped:
            return False
        self._health.dropped += dropped
        now = time.monotonic()
        if now - self._dropped_at > _CALM_SECONDS:  # once an episode
            log.warning(
                "source %s: analysis is %d patches behind, %d are dropped",
                self._plan.name,
                2 * dropped,
                dropped,
            )
        self._dropped_at = now
        return True


class LossLog:
    """What the log says of a source that is lost again and again.

    The first loss of an episode, the second one with audio before it, then a summary an hour; an
    unexpected error with its traceback once an episode.
    """

    def __init__(self, source: str, health: SourceHealth, now: Callable[[], float]) -> None:
        self._source, self._health, self._now = source, health, now
        self._losses = 0  # in the episode
        self._logged_at = 0.0
        self._traced = False

    def add(self, reason: str, unexpected: Exception | None, *, heard: bool) -> None:
        """The source is lost; `unexpected` is an error that no source should raise."""
        self._losses += 1
        if unexpected is not None:
            self._health.faults += 1
            if not self._traced:
                log.error("source %s: unexpected error: %s", self._source, trace_of(unexpected))
            self._traced = True
        if self._losses == 1:
            log.warning("source %s: lost: %s", self._source, reason)
        elif heard and not self._health.unstable:
            self._health.unstable = True
            log.warning("source %s: lost again, more is summed up: %s", self._source, reason)
        elif self._now() - self._logged_at >= SUMMARY_SECONDS:
            log.warning("source %s: lost %d times in a row: %s", self._source, self._losses, reason)
        else:
            return
        self._logged_at = self._now()

    def end_episode(self) -> None:
        """The source is stable."""
        if self._health.unstable:
            log.info("source %s: stable again after %d losses", self._source, self._losses)
        self._losses, self._traced = 0, False
        self._health.unstable = False


class _Stream:
    """The chunks of one open source: made finite, resampled, cut at the ends of patches."""

    def __init__(self, name: str, grid: PatchGrid, health: SourceHealth) -> None:
        self._name, self._health = name, health
        self._resampler = ChunkResampler(grid.params.sample_rate_hz)
        self.cutter = PatchCutter(grid)
        self._last: AudioChunk | None = None
        self._nonfinite = False

    @property
    def missing_seconds(self) -> float:
        """Audio still to come until the next patch is whole."""
        return self.cutter.missing_samples / self._resampler.sample_rate_hz

    @property
    def heard(self) -> bool:
        """Whether there was any audio."""
        return self._last is not None

    @property
    def ended_at(self) -> float:
        """Time after the last sample; now, if there was none."""
        return time.time() if self._last is None else self._last.ended_at

    def push(self, chunk: AudioChunk) -> list[AudioChunk]:
        if self._last is not None and chunk.start != self._last.end:
            self._health.overflows += 1
        self._last = chunk.tail
        samples, nonfinite = zero_nonfinite(chunk.samples)
        if nonfinite:
            self._health.nonfinite_samples += nonfinite
            if not self._nonfinite:  # once a stream
                log.warning("source %s: samples that are not finite count as silence", self._name)
            self._nonfinite = True
            chunk = replace(chunk, samples=samples)
        return self.cutter.push(self._resampler.push(chunk))

    def finish(self) -> list[AudioChunk]:
        if self._last is None:
            return []
        return self.cutter.push(self._resampler.finish(self._last)) + self.cutter.finish()
