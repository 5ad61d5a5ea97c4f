"""Events for a webhook, through an outbox of its own."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from listener import __version__
from listener.backoff import Backoff
from listener.config.outputs import WebhookSettings
from listener.config.station import ConfigError
from listener.mqtt.messages import DeliveryListener, OutboundMessage
from listener.sinks.event_document import EventDocuments
from listener.sinks.sink import BundleNotice, EventNotice, Level, Notice

log = logging.getLogger(__name__)

TOPIC = "webhook"  # an outbox knows topics; here all messages go to one place
_LONGEST_REASON = 200
_CLOSE_SECONDS = 0.5


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


# One POST: a message is taken, refused for good, or to be tried again.


# What these say is of the message. Anything else may be of the server, or of who set it up.
_OF_THE_MESSAGE = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


class WebhookError(Exception):
    """It was not taken, and may be at another time; one line that says why."""


class RefusedError(Exception):
    """It will never be taken; one line that says why."""


class Receiver:
    """The server of the settings. Certificates and host names are checked, redirects not followed.

    Raises:
        ConfigError: the token's or the authorities' file cannot be used.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        parts = urlsplit(settings.url)
        self.name = parts.hostname or ""
        """For the log: there may be a secret in the rest of the URL."""
        self._port = parts.port
        self._target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        self._timeout_seconds = settings.timeout_seconds
        self._tls = _tls_context(settings) if parts.scheme == "https" else None
        self._headers = _headers(settings)

    def post(self, body: bytes) -> None:
        """Send JSON.

        Raises:
            PostError: no connection, no answer in time, or an answer that is not of the message.
            RefusedError: the server does not want this message.
        """
        status = self._ask(body)
        if status in _OF_THE_MESSAGE:
            raise RefusedError(f"{self.name} answered {status}")
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise WebhookError(f"expected an answer from 200 to 299, got {status}")

    def reach(self) -> None:
        """Connect, TLS and all, and send nothing.

        Raises:
            PostError: that cannot be done.
        """
        with self._connected():
            pass

    def _ask(self, body: bytes) -> int:
        with self._connected() as connection:
            connection.request("POST", self._target, body, self._headers)
            return connection.getresponse().status

    @contextmanager
    def _connected(self) -> Iterator[HTTPConnection]:
        connection = self._connection()
        try:
            connection.connect()
            yield connection
        except (OSError, HTTPException) as error:
            reason = " ".join(str(error).split())[:_LONGEST_REASON]
            raise WebhookError(f"{type(error).__name__}: {reason}") from error
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        seconds = self._timeout_seconds
        if self._tls is None:
            return HTTPConnection(self.name, self._port, timeout=seconds)
        return HTTPSConnection(self.name, self._port, timeout=seconds, context=self._tls)


def _tls_context(settings: WebhookSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:  # SSLError is one
        raise ConfigError(f"webhook.ca_file: cannot use {settings.ca_file}: {error}") from error


def _headers(settings: WebhookSettings) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": f"earshot/{__version__}"}
    if settings.token_file is not None:
        headers["Authorization"] = f"Bearer {_read_token(settings.token_file)}"
    return headers


def _read_token(path: Path) -> str:
    try:
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"webhook.token_file: cannot read {path}: {error}") from error
    if not token or not token.isprintable():
        raise ConfigError(f"webhook.token_file: expected one line in {path}")
    return token


# Carries the messages of an outbox to a receiver, one after the other, for as long as it takes.


class WebhookRequest(Protocol):
    """A receiver."""

    @property
    def name(self) -> str:
        """For the log."""

    def post(self, body: bytes) -> None:
        """Send a message; raises PostError or RefusedError."""


class WebhookTransport:
    """One thread. After a failure it rests, longer each time, and begins at the oldest message again.

    So messages arrive in order and at least once. A failure is as a lost connection is to the outbox;
    the next try is the next connection.
    """

    def __init__(self, receiver: WebhookRequest, backoff: Backoff | None = None) -> None:
        self._receiver = receiver
        self._backoff = backoff or Backoff()
        self._sender: DeliveryListener | None = None
        self._parcels: SimpleQueue[OutboundMessage | None] = SimpleQueue()
        self._connection = 1
        self._failing = False
        self._closing = Event()
        # daemon: a receiver that trickles its answer must not keep the process from ending
        self._thread = Thread(target=self._run, name="webhook-post", daemon=True)

    def set_listener(self, sender: DeliveryListener) -> None:
        """Tell this one what becomes of its parcels; before the start."""
        self._sender = sender

    def send(self, message: OutboundMessage) -> None:
        """See listener.mqtt.messages.Carrier."""
        self._parcels.put(message)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop; a POST that is under way is left to itself."""
        self._closing.set()
        self._parcels.put(None)
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        sender = self._sender
        if sender is None:
            return
        sender.connected(self._connection, None)
        while (parcel := self._parcels.get()) is not None and not self._closing.is_set():
            if parcel.connection == self._connection:  # others were handed over before a failure
                self._deliver(parcel, sender)

    def _deliver(self, parcel: OutboundMessage, sender: DeliveryListener) -> None:
        try:
            self._receiver.post(parcel.payload)
        except RefusedError as error:
            sender.answered(parcel.key, str(error))
        except WebhookError as error:
            self._fail(error, sender)
        else:
            sender.answered(parcel.key, None)
            self._recover()

    def _fail(self, error: WebhookError, sender: DeliveryListener) -> None:
        if not self._failing:
            log.warning("webhook %s: events wait: %s", self._receiver.name, error)
        self._failing = True
        sender.lost(suspect=False)
        self._connection += 1
        if not self._closing.wait(self._backoff.next_seconds()):
            sender.connected(self._connection, None)

    def _recover(self) -> None:
        if self._failing:
            log.info("webhook %s: events arrive again", self._receiver.name)
            self._failing = False
            self._backoff.reset()
