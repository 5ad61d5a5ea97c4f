"""Events, states, levels and the bundle on MQTT."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

from listener.detection.audio import SILENCE_DBFS
from listener.detection.bundle import Label, Manifest
from listener.files import iso_utc, to_json
from listener.health import Health
from listener.mqtt.broker import Publisher
from listener.mqtt.topics import Topics
from listener.sinks.event_document import event_document, label_names
from listener.sinks.sink import (
    BundleNotice,
    ClockNotice,
    EventNotice,
    Level,
    Notice,
    SourceStatus,
)


class EventQueue(Protocol):
    """Where events wait until the broker has them: the outbox."""

    def put(self, topic: str, document: dict[str, Any]) -> None:
        """Send a document, with its `seq` in it; does not block."""

    def note_analysed(self, source: str, until: float) -> None:
        """A source is analysed up to there, unix seconds; does not block."""


class MqttSink:
    """Publishes what the pipeline notices: events through the outbox, all else as it is now.

    `sources` and `labels` are the configured ones (slugs), `groups` those labels that people made.
    `level_interval_seconds` is the least time between two levels of a source, 0: each one. The publisher
    keeps retained payloads and publishes them again on every connection.
    """

    takes = (BundleNotice, ClockNotice, EventNotice, Level, SourceStatus)

    def __init__(
        self,
        publisher: Publisher,
        events: EventQueue,
        topics: Topics,
        health: Health,
        manifest: Manifest,
        *,
        sources: Sequence[str],
        labels: Sequence[str],
        groups: Sequence[Label] = (),
        level_interval_seconds: float = 1.0,
    ) -> None:
        self._publisher, self._events = publisher, events
        self._topics = topics
        self._health = health
        self._label_names = label_names(manifest, groups)
        self._labels = tuple(labels)
        self._level_interval_seconds = level_interval_seconds
        self._levels_at: dict[str, float] = {}
        self._cleared: set[str] = set()  # sources whose states of an earlier run are gone
        self._retain(topics.bundle, to_json(bundle_document(manifest, time.time())))
        for source in sources:
            self._retain(topics.source_status(source), "offline")  # until its first patch

    def handle(self, notice: Notice) -> None:
        """Publish one notice; does not block."""
        match notice:
            case EventNotice():
                self._publish_event(notice)
            case Level():
                self._publish_level(notice)
            case SourceStatus():
                self._publish_status(notice)
            case BundleNotice():
                self._publish_bundle(notice)
            case ClockNotice():
                payload = to_json(clock_document(notice)).encode()
                self._publisher.publish(self._topics.clock, payload)

    def close(self) -> None:
        """Nothing is kept back here; the outbox and the publisher flush."""

    def _publish_event(self, notice: EventNotice) -> None:
        event = notice.event
        name = self._label_names[event.label]
        document = event_document(event, self._topics.station, name, notice.clip)
        self._events.put(self._topics.event(event.source), document)
        state = "ON" if event.offset is None else "OFF"
        self._retain(self._topics.state(event.source, event.label), state)
        # a clock that was set back meanwhile must not make the sum fall
        seconds = max(0.0, time.time() - notice.heard_at)
        self._health.capture_to_publish_seconds.observe(seconds)

    def _publish_level(self, level: Level) -> None:
        self._events.note_analysed(level.source, level.at)
        last = self._levels_at.get(level.source)
        # the distance, so that a clock that was set back does not silence the level
        if last is not None and abs(level.at - last) < self._level_interval_seconds:
            return
        self._levels_at[level.source] = level.at
        payload = to_json(level_document(level)).encode()
        self._publisher.publish(self._topics.level(level.source), payload, qos=0)

    def _publish_status(self, status: SourceStatus) -> None:
        if status.status != "offline" and status.source not in self._cleared:
            self._cleared.add(status.source)
            for label in self._labels:
                self._retain(self._topics.state(status.source, label), "OFF")
        self._retain(self._topics.source_status(status.source), status.status)

    def _publish_bundle(self, notice: BundleNotice) -> None:
        self._label_names = label_names(notice.manifest, notice.groups)
        for source in self._cleared:
            for label in set(self._labels) - set(notice.labels):
                self._retain(self._topics.state(source, label), "")  # empty: the broker forgets it
            for label in set(notice.labels) - set(self._labels):
                self._retain(self._topics.state(source, label), "OFF")
        self._labels = notice.labels
        self._retain(self._topics.bundle, to_json(bundle_document(notice.manifest, notice.at)))

    def _retain(self, topic: str, payload: str) -> None:
        self._publisher.publish(topic, payload.encode(), retain=True)


def level_document(level: Level) -> dict[str, Any]:
    """The payload of `<source>/level`; dBFS with one place, never under -120."""
    return {
        "dbfs": round(max(SILENCE_DBFS, float(level.dbfs)), 1),
        "peak_dbfs": round(max(SILENCE_DBFS, float(level.peak_dbfs)), 1),
        "at": iso_utc(level.at),
    }


def clock_document(notice: ClockNotice) -> dict[str, Any]:
    """The payload of `clock`: the step in seconds, forward or back, and the new time."""
    return {"step_seconds": round(notice.seconds, 3), "at": iso_utc(notice.at)}


def bundle_document(manifest: Manifest, loaded_at: float) -> dict[str, Any]:
    """The payload of `bundle`: labels as slugs in the model's order; `loaded_at` unix seconds."""
    return {
        "name": manifest.name,
        "version": manifest.version,
        "labels": [label.slug for label in manifest.labels],
        "loaded_at": iso_utc(loaded_at),
    }
