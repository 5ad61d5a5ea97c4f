"""What a process takes of its machine, and whether that grows."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

_WARM_UP_SHARE = 0.2  # caches fill, threads start, the allocator finds its size
_PART = 4  # the last quarter of what follows is compared with the first


@dataclass(frozen=True, slots=True)
class Vitals:
    """A process after so many patches: resident memory, open descriptors, threads."""

    patches: int
    rss_bytes: int
    descriptors: int
    threads: int


def read_vitals(pid: int, patches: int) -> Vitals:
    """What a process takes now.

    Raises:
        psutil.NoSuchProcess: it has ended.
    """
    process = psutil.Process(pid)
    with process.oneshot():
        return Vitals(patches, process.memory_info().rss, process.num_fds(), process.num_threads())


@dataclass(frozen=True, slots=True)
class Growth:
    """After the warm-up, the last quarter beside the first.

    `rss` compares medians, as a share (0.01: one percent more). The others compare minima, counts: what a
    scrape or a reconnection opens for a moment is not there at the calmest one, what leaked is.
    """

    rss: float
    descriptors: int
    threads: int


def growth(course: Sequence[Vitals]) -> Growth:
    """How a process grew over its course, oldest first.

    Raises:
        ValueError: too few values for a warm-up and two quarters.
    """
    settled = course[round(len(course) * _WARM_UP_SHARE) :]
    size = len(settled) // _PART
    if not size:
        raise ValueError(f"expected at least {_PART + 1} values, got {len(course)}")
    first, last = settled[:size], settled[-size:]
    return Growth(
        _median_rss(last) / _median_rss(first) - 1,
        min(v.descriptors for v in last) - min(v.descriptors for v in first),
        min(v.threads for v in last) - min(v.threads for v in first),
    )


def _median_rss(course: Sequence[Vitals]) -> float:
    return statistics.median(vitals.rss_bytes for vitals in course)
