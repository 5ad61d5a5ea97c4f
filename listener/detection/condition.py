"""Whether a source that gives audio can hear: silence that is none, and sound beyond full scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Condition = Literal["online", "silent", "clipping"]
"""What a source is whose patches are analysed."""
Status = Literal["offline", "online", "silent", "clipping"]
"""What a source is."""


@dataclass(frozen=True, slots=True)
class ConditionLimits:
    """From when on a source counts as silent or clipping.

    `silent_below_dbfs`: a level that no working microphone goes under. `clipping_share`: of the samples
    of a patch hop at full scale.
    """

    silent_below_dbfs: float = -90.0
    silent_after_seconds: float = 30.0
    clipping_share: float = 0.01
    clipping_after_seconds: float = 5.0

    def describe(self, condition: Condition) -> str | None:
        """Why a source is not simply online, one line for people."""
        match condition:
            case "silent":
                seconds = self.silent_after_seconds
                return f"nothing over {self.silent_below_dbfs:g} dBFS for {seconds:g} s"
            case "clipping":
                percent = 100 * self.clipping_share
                return f"often {percent:g} % of the samples and more are at full scale"
            case "online":
                return None


class ConditionMeter:
    """Levels of one source, patch hop after patch hop -> its condition.

    Silence is counted in a row and ends with the first sound. Clipping is counted up where samples are
    clipped and down where none are, between nothing and the limit; it begins at the one end and is over
    at the other, so that pauses between words do not end it.
    """

    def __init__(self, limits: ConditionLimits) -> None:
        self._limits = limits
        self._silent_seconds = 0.0
        self._clipped_seconds = 0.0
        self._clipping = False

    def push(self, seconds: float, level_dbfs: float, clipped_share: float) -> Condition:
        """Take the next `seconds` of audio: their level, and the share of samples at full scale."""
        limits = self._limits
        silent = level_dbfs < limits.silent_below_dbfs
        self._silent_seconds = self._silent_seconds + seconds if silent else 0.0
        self._count_clipping(seconds if clipped_share >= limits.clipping_share else -seconds)
        if self._silent_seconds >= limits.silent_after_seconds:
            return "silent"
        return "clipping" if self._clipping else "online"

    def _count_clipping(self, seconds: float) -> None:
        limit = self._limits.clipping_after_seconds
        self._clipped_seconds = min(max(0.0, self._clipped_seconds + seconds), limit)
        if self._clipped_seconds in (0.0, limit):
            self._clipping = self._clipped_seconds == limit
