"""How long and how often is measured."""

from __future__ import annotations

from dataclasses import dataclass

_PATCH_HOP_SECONDS = 0.48  # steady windows hold whole patch hops


@dataclass(frozen=True, slots=True)
class Lengths:
    """Repeats and seconds of each part."""

    repeats: int
    window_seconds: float  # over which a station's CPU time is taken
    burst_seconds: float  # for which the engine and TF Hub work, before and after a window
    settle_seconds: float  # from all sources online to the window
    cold_starts: int
    memory_seconds: float
    latency_seconds: float
    scale_seconds: float  # of a station with very many sources
    growth_seconds: float  # of each size; whole patch hops of 0.96 s, too


FULL = Lengths(
    repeats=3,
    window_seconds=20 * _PATCH_HOP_SECONDS,
    burst_seconds=1.5,
    settle_seconds=2.0,
    cold_starts=5,
    memory_seconds=20.0,
    latency_seconds=60.0,
    scale_seconds=40 * _PATCH_HOP_SECONDS,
    growth_seconds=10 * _PATCH_HOP_SECONDS,
)
QUICK = Lengths(
    repeats=1,
    window_seconds=6 * _PATCH_HOP_SECONDS,
    burst_seconds=0.7,
    settle_seconds=1.0,
    cold_starts=2,
    memory_seconds=4.0,
    latency_seconds=8.0,
    scale_seconds=10 * _PATCH_HOP_SECONDS,
    growth_seconds=4 * _PATCH_HOP_SECONDS,
)
