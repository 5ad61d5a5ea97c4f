"""Publishes events, states, levels and the bundle on MQTT."""

import time
from collections.abc import Sequence
from typing import Any

from listener.detection.audio import SILENCE_DBFS
from listener.detection.bundle import Label, Manifest
from listener.files import iso_utc, to_json
from listener.health import Health
from listener.mqtt.broker import Publisher
from listener.mqtt.topics import Topics
from listener.sinks import event_document, sink


class MqttSink:
    """Publishes notices: events through the outbox, all else at once.

    `sources` and `labels` are the configured ones (slugs), `groups` the labels that the config makes.
    `level_interval_seconds` is the least time between two levels of a source, 0: each one. The publisher
    keeps retained payloads and publishes them again on every connection.
    """

    accepts = (
        sink.BundleNotice,
        sink.ClockNotice,
        sink.EventNotice,
        sink.Level,
        sink.SourceStatus,
    )

    def __init__(
        self,
        publisher: Publisher,
        events: sink.EventQueue,
        topics: Topics,
        health: Health,
        manifest: Manifest,
        *,
        sources: Sequence[str],
        labels: Sequence[str],
        groups: Sequence[Label] = (),
        level_interval_seconds: float = 1.0,
    ) -> None:
        self._publisher, self._events, self._topics = publisher, events, topics
        self._health = health
        self._documents = event_document.EventDocuments(
            topics.station, event_document.label_names(manifest, groups)
        )
        self._labels = tuple(labels)
        self._level_interval_seconds = level_interval_seconds
        self._levels_at: dict[str, float] = {}
        self._bandwidths: dict[str, float | None] = {}  # by source what was published last
        self._cleared: set[str] = set()  # sources whose states of an earlier run are gone
        self._retain(topics.bundle, to_json(bundle_document(manifest, time.time())))
        for source in sources:
            self._retain(topics.source_status(source), "offline")  # until its first patch

    def handle(self, notice: sink.Notice) -> None:
        """Publish one notice; does not block."""
        match notice:
            case sink.Level(source=source, at=at):
                self._events.note_analysed(source, at)
                last = self._levels_at.get(source)
                # the distance, so that a clock that was set back does not silence the level
                if last is None or abs(at - last) >= self._level_interval_seconds:
                    self._levels_at[source] = at
                    payload = to_json(level_document(notice)).encode()
                    self._publisher.publish(self._topics.level(source), payload, qos=0)
            case sink.EventNotice():
                self._publish_event(notice)
            case sink.SourceStatus(source, status):
                self._publish_bandwidth(notice)
                if status != "offline" and source not in self._cleared:
                    self._cleared.add(source)
                    for label in self._labels:
                        self._retain(self._topics.state(source, label), "OFF")
                self._retain(self._topics.source_status(source), status)
            case sink.BundleNotice():
                self._publish_bundle(notice)
            case sink.ClockNotice():
                payload = to_json(clock_document(notice)).encode()
                self._publisher.publish(self._topics.clock, payload)

    def close(self) -> None:
        """Nothing to flush here: the outbox and the publisher do."""

    def _publish_event(self, notice: sink.EventNotice) -> None:
        event = notice.event
        self._events.put(self._topics.event(event.source), self._documents.of(notice))
        state = "ON" if event.offset is None else "OFF"
        self._retain(self._topics.state(event.source, event.label), state)
        # a clock that was set back meanwhile must not make the sum fall
        seconds = max(0.0, time.time() - notice.heard_at)
        self._health.capture_to_publish_seconds.observe(seconds)

    def _publish_bandwidth(self, notice: sink.SourceStatus) -> None:
        """At first, so that no limit of an earlier run is left, and when it changes."""
        source, bandwidth_hz = notice.source, notice.bandwidth_hz
        if source not in self._bandwidths or self._bandwidths[source] != bandwidth_hz:
            self._bandwidths[source] = bandwidth_hz
            payload = to_json(bandwidth_document(notice))
            self._retain(self._topics.bandwidth(source), payload)

    def _publish_bundle(self, notice: sink.BundleNotice) -> None:
        self._documents.set_bundle(notice)
        for source in self._cleared:
            for label in set(self._labels) - set(notice.labels):
                self._retain(self._topics.state(source, label), "")  # empty: the broker forgets it
            for label in set(notice.labels) - set(self._labels):
                self._retain(self._topics.state(source, label), "OFF")
        self._labels = notice.labels
        self._retain(self._topics.bundle, to_json(bundle_document(notice.manifest, notice.at)))

    def _retain(self, topic: str, payload: str) -> None:
        self._publisher.publish(topic, payload.encode(), retain=True)


def level_document(level: sink.Level) -> dict[str, Any]:
    """The payload of `<source>/level`; dBFS with one place, never under -120."""
    return {
        "dbfs": round(max(SILENCE_DBFS, float(level.dbfs)), 1),
        "peak_dbfs": round(max(SILENCE_DBFS, float(level.peak_dbfs)), 1),
        "at": iso_utc(level.at),
    }


def bandwidth_document(notice: sink.SourceStatus) -> dict[str, Any]:
    """The payload of `<source>/bandwidth`; null while it is full or unknown."""
    return {"bandwidth_hz": notice.bandwidth_hz, "at": iso_utc(notice.at)}


def clock_document(notice: sink.ClockNotice) -> dict[str, Any]:
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
