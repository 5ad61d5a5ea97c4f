"""The notices of the pipeline, and what every sink is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from listener.detection import audio, bundle, features
from listener.detection.clip import ClipDraft
from listener.detection.event import SoundEvent
from listener.detection.params import FeatureParams


@dataclass(frozen=True, slots=True)
class EventNotice:
    """An event that started (`event.offset` is None) or ended.

    `heard_at` is the unix time of the last sample that the decision needed, `clip` the id of its clip if
    one is kept.
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
    """A source has a new status or bandwidth; it is online from its first analysed patch on.

    `reason` is one line for people, `bandwidth_hz` the frequency above which the source has nothing, None
    if it is full or unknown.
    """

    source: str
    status: audio.Status
    at: float
    reason: str | None = None
    bandwidth_hz: float | None = None


@dataclass(frozen=True, slots=True)
class BundleNotice:
    """Another bundle is in use since `at` (unix seconds); `labels` are those that make events.

    `groups` are the labels among them that the config makes of labels of the bundle. It follows the ends
    of the previous bundle's events.
    """

    manifest: bundle.Manifest
    labels: tuple[str, ...]
    at: float
    groups: tuple[bundle.Label, ...] = ()


@dataclass(frozen=True, slots=True)
class ClockNotice:
    """The system clock was set, forward by `seconds` or back; `at` is the new time, unix seconds."""

    seconds: float
    at: float


@dataclass(frozen=True, slots=True)
class OverridesNotice:
    """The effect of people's overrides: on-thresholds by source and label, and the muted sources."""

    thresholds: Mapping[str, Mapping[str, float]]
    muted: frozenset[str]


@dataclass(frozen=True, slots=True)
class BirthNotice:
    """Home Assistant has started and needs every device once more."""


@dataclass(frozen=True, slots=True)
class ClipNotice:
    """A clip to store."""

    draft: ClipDraft


@dataclass(frozen=True, slots=True)
class PatchNotice:
    """A patch and its scores, for the live view.

    `scores` float32 (K,) are the latest smoothed ones of `labels`; `at`: its last sample, unix seconds.
    """

    source: str
    at: float
    patch: features.Patch
    params: FeatureParams
    labels: tuple[str, ...]
    scores: NDArray[np.float32]

    @property
    def new_frames(self) -> features.LogMel:
        """Log-mel of the last patch hop, float32 (frames, 64); computed here if it is not there yet."""
        return features.log_mel_of(self.patch.content, self.params)[-self.params.patch_hop_frames :]


Notice = (
    BirthNotice
    | BundleNotice
    | ClipNotice
    | ClockNotice
    | EventNotice
    | Level
    | OverridesNotice
    | PatchNotice
    | SourceStatus
)


class Sink(Protocol):
    """Delivers notices, on a thread of its own."""

    @property
    def accepts(self) -> tuple[type[Notice], ...]:
        """The kinds of notice that it wants now."""

    def handle(self, notice: Notice) -> None:
        """Deliver one notice; may block for a short while, never for ever."""

    def close(self) -> None:
        """Flush what was handed over and release everything, within a second or two."""


class EventQueue(Protocol):
    """Where events wait until their receiver has them: an outbox."""

    def put(self, topic: str, document: dict[str, Any]) -> None:
        """Send a document, with its `seq` in it; does not block."""

    def note_analysed(self, source: str, until: float) -> None:
        """A source is analysed up to there, unix seconds; does not block."""
