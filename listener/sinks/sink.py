"""What flows out of the pipeline, and what every sink takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Manifest
from listener.detection.cutting import Cutting
from listener.detection.event import SoundEvent


@dataclass(frozen=True, slots=True)
class EventNotice:
    """An event that began (`event.offset` is None) or ended.

    `heard_at` is the unix time of the last sample that the decision needed, `clip` the id of the clip that
    is kept of it, if one is.
    """

    event: SoundEvent
    heard_at: float
    clip: str | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """Level of one source over the last patch hop, dBFS; `at`: its last sample, unix seconds."""

    source: str
    dbfs: float
    peak_dbfs: float
    at: float


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source came (its first patch was analysed) or went; `reason` is one line for people."""

    source: str
    status: Literal["online", "offline"]
    at: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class BundleNotice:
    """Another bundle is at work, since `at` (unix seconds); `labels` are those that make events.

    It comes after the ends of the events of the one before.
    """

    manifest: Manifest
    labels: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class ClipNotice:
    """Sound that is worth keeping."""

    cutting: Cutting


@dataclass(frozen=True, slots=True)
class PatchNotice:
    """What was heard since the patch before, for who looks on.

    `log_mel` is float32 (frames, 64), those of a patch hop; `scores` float32 (K,) are the latest smoothed
    ones of `labels`; `at`: its last sample, unix seconds.
    """

    source: str
    at: float
    level_dbfs: float
    log_mel: NDArray[np.float32]
    labels: tuple[str, ...]
    scores: NDArray[np.float32]


Notice = BundleNotice | ClipNotice | EventNotice | Level | PatchNotice | SourceStatus


class Sink(Protocol):
    """Takes notices, on a thread of its own."""

    @property
    def takes(self) -> tuple[type[Notice], ...]:
        """The kinds of notice that it wants now."""

    def handle(self, notice: Notice) -> None:
        """Deliver one notice; may block for a short while, never for ever."""

    def close(self) -> None:
        """Flush what was handed over and let go, within a second or two."""
