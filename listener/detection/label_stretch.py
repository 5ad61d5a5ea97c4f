"""A label above its thresholds for a while: what becomes an event."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class LabelStretch:
    """A label above its thresholds, perhaps with gaps; becomes an event once it is long enough.

    `active` is false below off_threshold, for a gap that may still be bridged. `told_onset` is set where
    the clock has stepped since the onset was told.
    """

    onset: float
    offset: float
    active: bool = True
    announced: bool = False
    peak_score: float = 0.0
    score_sum: float = 0.0
    slots: int = 0
    level_dbfs: float = -math.inf
    told_onset: float | None = None

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return self.offset - self.onset

    @property
    def told_span(self) -> tuple[float, float]:
        """Onset and offset on the clock on which the onset was told."""
        if self.told_onset is None:
            return self.onset, self.offset
        return self.told_onset, self.told_onset + self.seconds

    def extend(self, offset: float, score: float, level_dbfs: float) -> None:
        """One more slot, up to `offset`."""
        self.offset = offset
        self.peak_score = max(self.peak_score, score)
        self.score_sum += score
        self.slots += 1
        self.level_dbfs = max(self.level_dbfs, level_dbfs)

    def shift(self, seconds: float) -> None:
        """The clock stepped by so much; what was told stays true."""
        if self.announced and self.told_onset is None:
            self.told_onset = self.onset
        self.onset += seconds
        self.offset += seconds
