"""Heartbeats, counters and gauges as plain numbers.

Each has one writer; readers take what is there.
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

# Every stage beats each second or two, with or without work; a batch takes well under a second,
# also with a cold model on a slow machine.
STALLED_SECONDS = 10.0


class Histogram:
    """Counts of observations by upper bound, as Prometheus keeps them (`le`)."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


_LATENCY_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_BATCH_BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)


@dataclass(slots=True)
class LabelHealth:
    """Numbers by label, arrays of length K in the order of `labels`; another bundle brings new ones."""

    labels: tuple[str, ...]
    on_thresholds: NDArray[np.float32]
    scores: NDArray[np.float32]
    events: NDArray[np.int64]
    active: NDArray[np.bool_]

    @classmethod
    def for_labels(cls, labels: tuple[str, ...]) -> Self:
        """Nothing heard yet."""
        count = len(labels)
        return cls(
            labels,
            np.zeros(count, np.float32),
            np.zeros(count, np.float32),
            np.zeros(count, np.int64),
            np.zeros(count, np.bool_),
        )

    def moved_to(self, labels: tuple[str, ...]) -> LabelHealth:
        """The same counts for the labels of another bundle; labels that it has not are forgotten."""
        moved = LabelHealth.for_labels(labels)
        counts = dict(zip(self.labels, self.events, strict=True))
        moved.events[:] = [counts.get(label, 0) for label in labels]
        return moved


@dataclass(slots=True)
class SourceHealth:
    """What is known of one source."""

    by_label: LabelHealth
    status: Status = "offline"
    patches: int = 0
    dropped: int = 0
    restarts: int = 0
    overflows: int = 0
    nonfinite_samples: int = 0
    missing_samples: int = 0  # lost before they were analysed, at the model's rate
    level_dbfs: float = SILENCE_DBFS
    last_patch_at: float | None = None  # unix seconds at which a patch was analysed
    ended: bool = False  # came to an end and is not opened again
    failed: bool = False  # that end was a loss
    beaten_at: float = field(default_factory=time.monotonic)  # last sign of life of its thread

    @property
    def up(self) -> bool:
        """Its patches are analysed, whatever is in them."""
        return self.status != "offline"

    def beat(self) -> None:
        """Its capture thread moves, whether or not the source gives audio."""
        self.beaten_at = time.monotonic()

    def unready(self, within_seconds: float, now: float) -> str | None:
        """Why the source is not ready, or None; `now` is unix seconds."""
        if self.ended:
            return None
        if self.last_patch_at is None:
            return "no patch analysed yet"
        # the distance, so that a clock that was set back does not hide a source that is gone
        age = abs(now - self.last_patch_at)
        if age > within_seconds:
            return f"last patch analysed {age:.1f} s ago"
        return "silent" if self.status == "silent" else None


@dataclass(slots=True)
class OutboxHealth:
    """What is known of the outbox; its thread writes."""

    events: int = 0  # messages that wait
    oldest_at: float | None = None  # unix seconds at which the oldest of them was made
    unsaved: int = 0  # messages that are in memory alone
    failing: str | None = None  # why the disk does not take them
    dropped: int = 0  # too many waited
    dead: int = 0  # the broker does not want them
    quarantined: int = 0  # they broke one connection after the other
    set_aside: int = 0  # files that were broken


FALLBACK = "fallback"  # what is active while no model server answers


@dataclass(slots=True)
class ServerHealth:
    """What is known of a model server."""

    up: bool = False
    requests: int = 0  # batches that it was asked for
    failures: int = 0  # of them: not answered, or with nothing of use


@dataclass(slots=True)
class RemoteHealth:
    """What is known of the remote engine, its servers by url; all but `up` the inference thread writes."""

    servers: dict[str, ServerHealth]
    active: str | None = None  # what scored the newest patches: a url, FALLBACK, or None: they wait
    fallback_patches: int = 0  # analysed by the local engine

    @classmethod
    def of(cls, urls: Iterable[str]) -> Self:
        """No server was asked yet."""
        return cls({url: ServerHealth() for url in urls})


@dataclass(slots=True)
class Health:
    """What is known of the station; built once, filled by the threads. `labels` are the bundle's."""

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
    sink_failures: dict[str, int] = field(default_factory=dict)  # events it could not deliver
    clips_stored: int | None = None  # None: no clips are kept
    clips_bytes: int = 0
    clips_free_bytes: int | None = None  # of the disk that they are on; None: not looked yet
    clip_errors: int = 0  # clips that could not be stored
    mqtt_connected: bool | None = None  # None: no broker is configured
    mqtt_dropped: int = 0  # the queue to the broker was full
    mqtt_refused: int = 0  # the broker said no, for instance its ACL
    mqtt_loop_errors: int = 0  # bugs that ended the loop around the connection, which began anew
    mqtt_duplicate_clients: int = 0  # times another machine spoke as this station
    outbox: OutboxHealth | None = None  # None: no broker is configured
    webhook: OutboxHealth | None = None  # None: no webhook is configured
    commands: Counter[tuple[str, str]] = field(default_factory=Counter)  # by command and result
    bundle_switches: Counter[str] = field(default_factory=Counter)  # by result
    bundle_refused: bool = False  # the one that should be in use is not
    clock_steps: int = 0  # times the system clock was set
    engine_failed: bool = False
    remote: RemoteHealth | None = None  # None: patches are analysed here
    heartbeats: dict[str, float] = field(default_factory=dict)  # monotonic seconds, by stage

    def beat(self, stage: str, grace_seconds: float = 0.0) -> None:
        """A stage (`inference`, `sink:<name>`) moves; it does so at least every second or two.

        What it does now may take `grace_seconds` longer, for instance to look up a name.
        """
        self.heartbeats[stage] = time.monotonic() + grace_seconds

    def add_outbox(self, stage: str) -> OutboxHealth:
        """A fresh record for the outbox of that stage, `outbox` or `webhook`."""
        numbers = OutboxHealth()
        if stage == "webhook":
            self.webhook = numbers
        else:
            self.outbox = numbers
        return numbers

    def add_remote(self, urls: Iterable[str]) -> RemoteHealth:
        """The record of the remote engine; one for another bundle goes on with the same."""
        if self.remote is None:
            self.remote = RemoteHealth.of(urls)
        return self.remote

    def add_source(self, name: str) -> SourceHealth:
        """A fresh record for a source."""
        self.sources[name] = SourceHealth(LabelHealth.for_labels(self.labels))
        return self.sources[name]

    def stalled(
        self, now: float | None = None, after_seconds: float = STALLED_SECONDS
    ) -> list[str]:
        """The stages that have not moved for so long, one line each; `now` is monotonic.

        Sources are not among them: one that hangs is `unready`, and the others go on.
        """
        now = time.monotonic() if now is None else now
        ages = {stage: now - at for stage, at in self.heartbeats.copy().items()}
        return [
            f"{stage}: stalled for {age:.1f} s"
            for stage, age in ages.items()
            if age > after_seconds
        ]

    def summary(self) -> str:
        """How the station is, in a line that changes only when that does."""
        sources = self.sources.copy().values()
        up = sum(source.up for source in sources)
        return f"{up} of {len(sources)} source(s) heard, bundle {self.bundle}"

    def unready(self, within_seconds: float, now: float | None = None) -> list[str]:
        """Why the station is not ready, one line a fault; empty when it is.

        Ready means: the engine answers, every stage moves, and every source that has not come to
        its end analysed a patch within that time and is not silent. `now` is unix seconds.
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
