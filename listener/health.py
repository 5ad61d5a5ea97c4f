"""Heartbeats, counters and gauges of a station as plain numbers.

Each has one writer; readers need no lock.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import SILENCE_DBFS, Status

# Every stage beats each second or two, also without work; a batch takes well under a second, even with
# a cold model on a slow machine
STALLED_SECONDS = 10.0
FALLBACK = "fallback"  # the active engine while no model server answers

_LATENCY_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_BATCH_BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)


class Histogram:
    """Counts of observations by upper bound, as in Prometheus (`le`)."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass(slots=True)
class LabelHealth:
    """Numbers by label, arrays of length K in the order of `labels`; replaced with the bundle."""

    labels: tuple[str, ...]
    on_thresholds: NDArray[np.float32]
    scores: NDArray[np.float32]
    events: NDArray[np.int64]
    active: NDArray[np.bool_]

    @classmethod
    def for_labels(cls, labels: tuple[str, ...]) -> Self:
        """All zero."""
        count = len(labels)
        return cls(
            labels,
            np.zeros(count, np.float32),
            np.zeros(count, np.float32),
            np.zeros(count, np.int64),
            np.zeros(count, np.bool_),
        )

    def moved_to(self, labels: tuple[str, ...]) -> LabelHealth:
        """The same counts for the labels of another bundle; labels that it lacks are dropped."""
        moved = LabelHealth.for_labels(labels)
        counts = dict(zip(self.labels, self.events, strict=True))
        moved.events[:] = [counts.get(label, 0) for label in labels]
        return moved


@dataclass(slots=True)
class SourceHealth:
    """The state of one source."""

    by_label: LabelHealth
    status: Status = "offline"
    patches: int = 0
    dropped: int = 0
    restarts: int = 0
    unstable: bool = False  # lost again before it had been stable for a while
    faults: int = 0  # losses with an error that no source should raise
    overflows: int = 0
    nonfinite_samples: int = 0
    missing_samples: int = 0  # lost before the analysis, at the model's rate
    level_dbfs: float = SILENCE_DBFS
    bandwidth_hz: float | None = None  # above it the source has nothing; None: full or unknown
    last_patch_at: float | None = None  # unix seconds of the last analysis
    ended: bool = False  # and not opened again
    failed: bool = False  # it ended because it was lost
    beaten_at: float = field(default_factory=time.monotonic)  # last heartbeat of its thread

    @property
    def up(self) -> bool:
        """Its patches are analysed, also if they are silent or clipped."""
        return self.status != "offline"

    def beat(self) -> None:
        """Its capture thread runs, whether or not the source delivers audio."""
        self.beaten_at = time.monotonic()

    def unready(self, within_seconds: float, now: float) -> str | None:
        """Why the source is not ready, or None; `now` is unix seconds."""
        if self.ended:
            return None
        if self.last_patch_at is None:
            return "no patch analysed yet"
        # the absolute age, so that a clock that was set back does not hide a lost source
        age = abs(now - self.last_patch_at)
        if age > within_seconds:
            return f"last patch analysed {age:.1f} s ago"
        return "silent" if self.status == "silent" else None


@dataclass(slots=True)
class OutboxHealth:
    """The state of an outbox; written by its thread."""

    events: int = 0  # messages that wait
    oldest_at: float | None = None  # unix seconds of the oldest one
    unsaved: int = 0  # messages only in memory
    failing: str | None = None  # why the disk cannot store them
    dropped: int = 0  # because too many waited
    dead: int = 0  # rejected by the receiver
    quarantined: int = 0  # they broke one connection after another
    set_aside: int = 0  # broken files


@dataclass(slots=True)
class ServerHealth:
    """The state of a model server."""

    up: bool = False
    requests: int = 0  # batches
    failures: int = 0  # batches without a usable answer


@dataclass(slots=True)
class RemoteHealth:
    """The state of the remote engine and its servers, by url; the inference thread writes all but `up`."""

    servers: dict[str, ServerHealth]
    active: str | None = None  # the url that scores patches, FALLBACK, or None: patches wait
    fallback_patches: int = 0  # scored by the local engine

    @classmethod
    def of(cls, urls: Iterable[str]) -> Self:
        """No request was sent yet."""
        return cls({url: ServerHealth() for url in urls})


@dataclass(slots=True)
class Health:
    """The state of the station; filled by its threads. `labels` are the bundle's."""

    labels: tuple[str, ...]
    bundle: str
    sources: dict[str, SourceHealth] = field(default_factory=dict)
    queue_depths: dict[str, int] = field(default_factory=dict)
    inference_seconds: Histogram = field(default_factory=lambda: Histogram(_LATENCY_BOUNDS))
    batch_patches: Histogram = field(default_factory=lambda: Histogram(_BATCH_BOUNDS))
    capture_to_publish_seconds: Histogram = field(
        default_factory=lambda: Histogram(_LATENCY_BOUNDS)
    )
    sink_drops: dict[str, int] = field(default_factory=dict)
    sink_failures: dict[str, int] = field(default_factory=dict)  # events that it could not deliver
    faults: Counter[str] = field(
        default_factory=Counter
    )  # unexpected errors, by part; not sources'
    clips_stored: int | None = None  # None: clips are off
    clips_bytes: int = 0
    clips_free_bytes: int | None = None  # on their disk; None: not known yet
    clip_errors: int = 0  # clips that could not be stored
    mqtt_connected: bool | None = None  # None: no broker is configured
    mqtt_dropped: int = 0  # because the queue to the broker was full
    mqtt_refused: int = 0  # by the broker, for instance by its ACL
    mqtt_loop_errors: int = 0  # bugs that ended the connection's loop, which then restarted
    mqtt_duplicate_clients: int = 0  # times that another machine published as this station
    outbox: OutboxHealth | None = None  # None: no broker is configured
    webhook: OutboxHealth | None = None  # None: no webhook is configured
    commands: Counter[tuple[str, str]] = field(default_factory=Counter)  # by command and result
    bundle_switches: Counter[str] = field(default_factory=Counter)  # by result
    bundle_refused: bool = False  # the bundle of the config is not in use
    clock_steps: int = 0  # times the system clock was set
    engine_failed: bool = False
    remote: RemoteHealth | None = None  # None: patches are scored here
    heartbeats: dict[str, float] = field(default_factory=dict)  # monotonic seconds, by stage

    def beat(self, stage: str, grace_seconds: float = 0.0) -> None:
        """A stage (`inference`, `sink:<name>`) is alive; every stage beats each second or two.

        The next beat may take `grace_seconds` longer, for instance for a name lookup.
        """
        self.heartbeats[stage] = time.monotonic() + grace_seconds

    def add_outbox(self, stage: str) -> OutboxHealth:
        """A new record for the outbox of that stage, `outbox` or `webhook`."""
        numbers = OutboxHealth()
        if stage == "webhook":
            self.webhook = numbers
        else:
            self.outbox = numbers
        return numbers

    def add_remote(self, urls: Iterable[str]) -> RemoteHealth:
        """The record of the remote engine; the engine of another bundle shares it."""
        if self.remote is None:
            self.remote = RemoteHealth.of(urls)
        return self.remote

    def add_source(self, name: str) -> SourceHealth:
        """A new record for a source."""
        self.sources[name] = SourceHealth(LabelHealth.for_labels(self.labels))
        return self.sources[name]

    def stalled(
        self, now: float | None = None, after_seconds: float = STALLED_SECONDS
    ) -> list[str]:
        """The stages without a beat for that time, one line each; `now` is monotonic.

        Sources are not included: one that hangs is `unready`, and the others go on.
        """
        now = time.monotonic() if now is None else now
        ages = {stage: now - at for stage, at in self.heartbeats.copy().items()}
        return [
            f"{stage}: stalled for {age:.1f} s"
            for stage, age in ages.items()
            if age > after_seconds
        ]

    def summary(self) -> str:
        """The state of the station in one line, which changes only with the state."""
        sources = self.sources.copy().values()
        up = sum(source.up for source in sources)
        return f"{up} of {len(sources)} source(s) up, bundle {self.bundle}"

    def unready(self, within_seconds: float, now: float | None = None) -> list[str]:
        """Why the station is not ready, one line per fault; empty if it is.

        Ready means: the engine answers, every stage beats, and every source that has not ended analysed
        a patch within that time and is not silent. `now` is unix seconds.
        """
        now = time.time() if now is None else now
        faults = ["engine: failed"] if self.engine_failed else []
        if self.remote is not None and self.remote.active is None:
            faults.append("engine: no model server answers")
        faults += self.stalled()
        for stage, outbox in (("outbox", self.outbox), ("webhook", self.webhook)):
            if outbox is not None and outbox.failing is not None:
                faults.append(f"{stage}: {outbox.unsaved} in memory alone: {outbox.failing}")
        for name, source in self.sources.copy().items():
            fault = source.unready(within_seconds, now)
            if fault is not None:
                faults.append(f"source {name}: {fault}")
        return faults
