"""A station that is watched while nothing changes: what it spends, holds, drops and sends."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.station import Station, running_broker, running_station
from benchmarks.station_config import StationPlan
from benchmarks.station_size import PATCH_HOP_SECONDS
from benchmarks.subscriber import Receipt, Subscriber

_MOST_OFF_PATCHES = 2.0  # of each source: the window's ends fall anywhere between two
_MOST_OFF_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Progress:
    """Patches of each source while it settled and in the window: as they should be, and as they were."""

    due: float
    analysed: float

    @property
    def is_steady(self) -> bool:
        """It neither fell behind nor caught up."""
        return abs(self.analysed - self.due) <= max(_MOST_OFF_PATCHES, _MOST_OFF_SHARE * self.due)


@dataclass(frozen=True, slots=True)
class Steady:
    """`core_ms`: of all threads, for a second of audio of one source, within the window.

    `dropped` patches and the mean `batch_patches` are since the station's start, `rss_bytes` is at the
    window's end, `receipts` came within it. `progress` is None where patches were not counted.
    """

    core_ms: float
    progress: Progress | None
    dropped: float
    batch_patches: float
    rss_bytes: int
    receipts: tuple[Receipt, ...]

    def check_complete(self) -> None:
        """Its cost is that of all audio of the window, and of no other.

        Raises:
            RuntimeError: patches were dropped, or it fell behind or caught up.
        """
        if self.dropped:
            raise RuntimeError(f"the station was behind and dropped {self.dropped:.0f} patches")
        if self.progress is not None and not self.progress.is_steady:
            raise RuntimeError(
                f"expected {self.progress.due:.1f} patches of each source meanwhile, got "
                f"{self.progress.analysed:.1f}: the machine is too busy"
            )


@dataclass(frozen=True, slots=True)
class _Count:
    """What a scrape says, and when it was asked for, monotonic seconds."""

    at: float
    patches: float
    batches: float
    dropped: float


def watch_steady(
    plan: StationPlan,
    topics: tuple[str, ...],
    settle_seconds: float,
    window_seconds: float,
    *,
    hop_seconds: float = PATCH_HOP_SECONDS,
    huge: bool = False,
) -> Steady:
    """Start a station, let it settle once all sources are online, and watch it for the window.

    What comes of `topics` (as a `Subscriber` takes them) is received outside of it. Starting is not in
    the window, nor are the first states of all labels. Of a `huge` station they are: 300 sources have
    156 000 of 521 labels, which go out at 200 to 1000 a second. Nor are its patches counted, which
    would make it late by seconds.
    """
    with (
        running_broker() as broker,
        Subscriber(broker.port, "+/status", *topics) as subscriber,
        running_station(plan, broker) as station,
    ):
        if huge:
            station.wait_until_ready()
        else:
            station.wait_until_online(subscriber, len(plan.sources))
        before = None if huge else _count(station)
        time.sleep(settle_seconds)
        return _watch(station, subscriber, len(plan.sources), window_seconds, hop_seconds, before)


def _watch(
    station: Station,
    subscriber: Subscriber,
    sources: int,
    seconds: float,
    hop_seconds: float,
    before: _Count | None,
) -> Steady:
    received = len(subscriber.receipts)
    began, spent = time.monotonic(), station.cpu_seconds()
    time.sleep(seconds)
    spent = station.cpu_seconds() - spent
    core_ms = spent * 1000 / (sources * (time.monotonic() - began))
    receipts = tuple(subscriber.receipts[received:])
    rss_bytes = station.rss_bytes()
    after = _count(station)
    return Steady(
        core_ms,
        None if before is None else _progress(before, after, sources, hop_seconds),
        dropped=after.dropped,
        batch_patches=after.patches / after.batches,
        rss_bytes=rss_bytes,
        receipts=receipts,
    )


def _progress(before: _Count, after: _Count, sources: int, hop_seconds: float) -> Progress:
    due = (after.at - before.at) / hop_seconds
    return Progress(due, (after.patches - before.patches) / sources)


def _count(station: Station) -> _Count:
    at = time.monotonic()
    patches, batches, dropped = station.metrics(
        "listener_batch_patches_sum",
        "listener_batch_patches_count",
        "listener_patches_dropped_total",
    )
    return _Count(at, patches, batches, dropped)
