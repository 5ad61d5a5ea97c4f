"""The JSON form of an event, schema 1, which all sinks share."""

from collections.abc import Mapping, Sequence
from typing import Any

from listener.detection.bundle import Label, Manifest
from listener.detection.event import SoundEvent
from listener.files import iso_utc, to_json
from listener.sinks.sink import BundleNotice, EventNotice

SCHEMA = 1


def event_document(
    event: SoundEvent, station: str, label_name: str, clip: str | None
) -> dict[str, Any]:
    """An event that started (`offset` and `duration_seconds` are None) or ended; `clip`: its clip's id.

    Times are ISO 8601 in UTC with milliseconds, scores have four places.
    """
    seconds = event.seconds
    return {
        "schema": SCHEMA,
        "id": event.id,
        "phase": phase(event),
        "station": station,
        "source": event.source,
        "label": event.label,
        "label_name": label_name,
        "onset": iso_utc(event.onset),
        "offset": None if event.offset is None else iso_utc(event.offset),
        "duration_seconds": None if seconds is None else round(float(seconds), 3),
        "peak_score": round(float(event.peak_score), 4),
        "mean_score": round(float(event.mean_score), 4),
        "level_dbfs": round(float(event.level_dbfs), 1),
        "bundle": event.bundle,
        "clip": clip,
        "reason": event.reason,
    }


def phase(event: SoundEvent) -> str:
    """`start` while the event lasts, `end` after it."""
    return "start" if event.offset is None else "end"


def label_names(manifest: Manifest, groups: Sequence[Label] = ()) -> dict[str, str]:
    """The name for people of each label's slug; a group replaces a label of the bundle."""
    return {label.slug: label.name for label in (*manifest.labels, *groups)}


class EventDocuments:
    """Makes the JSON form of events, with the names of the current bundle."""

    def __init__(self, station: str, names: Mapping[str, str]) -> None:
        self._station, self._names = station, names

    def set_bundle(self, notice: BundleNotice) -> None:
        """Use the names of another bundle."""
        self._names = label_names(notice.manifest, notice.groups)

    def of(self, notice: EventNotice) -> dict[str, Any]:
        """The document of a start or an end."""
        event = notice.event
        return event_document(event, self._station, self._names[event.label], notice.clip)

    def line(self, notice: EventNotice) -> bytes:
        """The document as one line of JSON, with its newline."""
        return to_json(self.of(notice)).encode() + b"\n"
