"""Cutting: a stretch of a source that is worth keeping, with all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from listener.detection.audio import Samples
from listener.detection.clip import ClipRecord
from listener.detection.clip_analysis import ClipAnalysis


@dataclass(frozen=True, slots=True)
class Cutting:
    """A clip that is not stored yet.

    `record.path` is no more than a file name. `samples` is float32 (n,), mono, at `sample_rate_hz`.
    """

    record: ClipRecord
    sample_rate_hz: int
    samples: Samples
    analysis: ClipAnalysis
