"""Notices with known values, and a publisher that records what it is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from listener.detection.bundle import Label, Manifest
from listener.detection.event import SoundEvent
from listener.detection.policy import LabelPolicy
from listener.files import to_json
from listener.sinks.sink import EventNotice

ONSET = 1_795_144_327.44  # 2026-11-20T03:12:07.440Z: 20 777 days and 11 527.44 s


def start_of(source: str = "hall", label: str = "smoke_alarm") -> SoundEvent:
    """An event that has not ended."""
    return SoundEvent(
        id="01JD9Z6T3W8Q5V1N2M4K7B0C9E",
        source=source,
        label=label,
        onset=ONSET,
        offset=None,
        peak_score=0.5,
        mean_score=0.25,
        level_dbfs=-18.44,
        bundle="home-alarms@3",
    )


def end_of(source: str = "hall", label: str = "smoke_alarm") -> SoundEvent:
    """The same event, 23.58 s long."""
    return SoundEvent(
        id="01JD9Z6T3W8Q5V1N2M4K7B0C9E",
        source=source,
        label=label,
        onset=ONSET,
        offset=ONSET + 23.58,
        peak_score=0.97,
        mean_score=0.912345,
        level_dbfs=-18.4,
        bundle="home-alarms@3",
        reason="source_lost",
    )


def notice(event: SoundEvent, heard_at: float = ONSET) -> EventNotice:
    """The notice of an event."""
    return EventNotice(event, heard_at)


def manifest() -> Manifest:
    """A bundle of two labels."""
    labels = (Label("smoke_alarm", "Smoke alarm"), Label("doorbell", "Türklingel"))
    policies = {label.slug: LabelPolicy() for label in labels}
    return Manifest("home-alarms", 3, "2026-11-01T00:00:00Z", labels, policies)


@dataclass(frozen=True, slots=True)
class Published:
    """One call of publish()."""

    topic: str
    payload: str
    qos: int
    retain: bool


@dataclass
class RecordingPublisher:
    """A Publisher and an EventQueue that record what they are given."""

    published: list[Published] = field(default_factory=list)
    analysed: dict[str, float] = field(default_factory=dict)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Record it."""
        self.published.append(Published(topic, payload.decode(), qos, retain))

    def put(self, topic: str, document: dict[str, Any]) -> None:
        """Record an event as the outbox would send it."""
        self.published.append(Published(topic, to_json(document), 1, retain=False))

    def note_analysed(self, source: str, until: float) -> None:
        """Record it."""
        self.analysed[source] = until

    def on(self, topic: str) -> list[Published]:
        """What was published on a topic."""
        return [message for message in self.published if message.topic == topic]
