"""What flows out of the pipeline, and what every sink takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Status
from listener.detection.bundle import Label, Manifest
from listener.detection.clip import ClipDraft
from listener.detection.event import SoundEvent
from listener.detection.features import LogMel, Patch, log_mel_of
from listener.detection.params import FeatureParams


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
    """A source came (its first patch was analysed), went, or hears worse or better than before.

    `reason` is one line for people.
    """

    source: str
    status: Status
    at: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class BundleNotice:
    """Another bundle is at work, since `at` (unix seconds); `labels` are those that make events.

    `groups` are those of them that people made of labels of the bundle. It comes after the ends of the
    events of the bundle before.
    """

    manifest: Manifest
    labels: tuple[str, ...]
    at: float
    groups: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class ClockNotice:
    """The system clock was set, forward by `seconds` or back; `at` is the new time, unix seconds."""

    seconds: float
    at: float


@dataclass(frozen=True, slots=True)
class OverridesNotice:
    """What people's rules come to: by source and label the on-threshold, and the sources without events."""

    thresholds: Mapping[str, Mapping[str, float]]
    muted: frozenset[str]


@dataclass(frozen=True, slots=True)
class GreetingNotice:
    """Home Assistant has started, and has to be told of every device once more."""


@dataclass(frozen=True, slots=True)
class ClipNotice:
    """Sound that is worth keeping."""

    cutting: ClipDraft


@dataclass(frozen=True, slots=True)
class PatchNotice:
    """What was heard since the patch before, for who looks on.

    `scores` float32 (K,) are the latest smoothed ones of `labels`; `at`: its last sample, unix seconds.
    """

    source: str
    at: float
    patch: Patch
    params: FeatureParams
    labels: tuple[str, ...]
    scores: NDArray[np.float32]

    @property
    def new_frames(self) -> LogMel:
        """Log-mel of the last patch hop, float32 (frames, 64); made here, if else the engine does it."""
        return log_mel_of(self.patch.content, self.params)[-self.params.patch_hop_frames :]


Notice = (
    BundleNotice
    | ClipNotice
    | ClockNotice
    | EventNotice
    | GreetingNotice
    | Level
    | PatchNotice
    | OverridesNotice
    | SourceStatus
)


class Sink(Protocol):
    """Takes notices, on a thread of its own."""

    @property
    def takes(self) -> tuple[type[Notice], ...]:
        """The kinds of notice that it wants now."""

    def handle(self, notice: Notice) -> None:
        """Deliver one notice; may block for a short while, never for ever."""

    def close(self) -> None:
        """Flush what was handed over and let go, within a second or two."""
