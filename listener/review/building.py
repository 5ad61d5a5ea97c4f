"""Builds the review page of a station from its settings."""

from __future__ import annotations

from collections.abc import Sequence

from listener.clips.index import ClipFilter
from listener.clips.store import ClipStore
from listener.config.station import Config
from listener.detection.bundle import Bundle, Label
from listener.detection.clip import ClipRecord
from listener.detection.event import SoundEvent
from listener.review.documents import event_item
from listener.review.live import LiveView
from listener.review.parts import ReviewParts
from listener.review.server import ReviewServer
from listener.review.timeline import KEPT_EVENTS, EventItem, Timeline


def make_review(
    config: Config, bundle: Bundle, clips: ClipStore | None, groups: Sequence[Label] = ()
) -> ReviewServer:
    """The server, which has its address, and the live view that is a sink.

    Raises:
        ConfigError: the address cannot be had.
        ClipError: the store cannot be read.
    """
    sources = [source.name for source in config.sources]
    live = LiveView(sources, bundle.manifest, Timeline(_events_before(clips)), groups)
    parts = ReviewParts(config.station, live, clips, config.clips.new_labels)
    return ReviewServer(config.review, parts)


def _events_before(clips: ClipStore | None) -> list[EventItem]:
    """The events that were kept before the start, oldest first; one that has no offset has ended since."""
    if clips is None:
        return []
    found = reversed(clips.find(ClipFilter(reason="event"), KEPT_EVENTS))
    return [_item(record, record.event) for record in found if record.event is not None]


def _item(record: ClipRecord, event: SoundEvent) -> EventItem:
    item = event_item(event, record.id)
    return item | {"offset": item["offset"] or record.captured_at + record.seconds}
