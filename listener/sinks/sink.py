"""What flows out of the pipeline, and what every sink takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from listener.detection.event import SoundEvent


@dataclass(frozen=True, slots=True)
class EventNotice:
    """An event that began (`event.offset` is None) or ended.

    `heard_at` is the unix time of the last sample that the decision needed.
    """

    event: SoundEvent
    heard_at: float


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


Notice = EventNotice | Level | SourceStatus


class Sink(Protocol):
    """Takes notices, on a thread of its own."""

    @property
    def takes(self) -> tuple[type[Notice], ...]:
        """The kinds of notice that it wants."""

    def handle(self, notice: Notice) -> None:
        """Deliver one notice; may block for a short while, never for ever."""

    def close(self) -> None:
        """Flush what was handed over and let go, within a second or two."""
