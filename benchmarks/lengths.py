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


FULL = Lengths(3, 20 * _PATCH_HOP_SECONDS, 1.5, 2.0, 5, 20.0, 60.0)
QUICK = Lengths(1, 6 * _PATCH_HOP_SECONDS, 0.7, 1.0, 2, 4.0, 8.0)
