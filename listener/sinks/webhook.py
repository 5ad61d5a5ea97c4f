"""Events for a webhook, through an outbox of its own."""

from __future__ import annotations

from typing import Any, Protocol

from listener.sinks.event_document import EventDocuments
from listener.sinks.sink import BundleNotice, EventNotice, Level, Notice

TOPIC = "webhook"  # an outbox knows topics; here all messages go to one place


class EventQueue(Protocol):
    """Where events wait until the receiver has them: an outbox."""

    def put(self, topic: str, document: dict[str, Any]) -> None:
        """Send a document, with its `seq` in it; does not block."""

    def note_analysed(self, source: str, until: float) -> None:
        """A source is analysed up to there, unix seconds; does not block."""


class WebhookSink:
    """Puts starts and ends of events into the queue."""

    takes = (BundleNotice, EventNotice, Level)

    def __init__(self, events: EventQueue, documents: EventDocuments) -> None:
        self._events, self._documents = events, documents

    def handle(self, notice: Notice) -> None:
        """Queue one event; does not block."""
        match notice:
            case EventNotice():
                self._events.put(TOPIC, self._documents.of(notice))
            case BundleNotice():
                self._documents.rename(notice)
            case Level():  # the newest time at which what a crash leaves open may have ended
                self._events.note_analysed(notice.source, notice.at)

    def close(self) -> None:
        """Nothing is kept back here; the outbox flushes."""
