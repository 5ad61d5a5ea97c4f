"""Posts events to a server, through an outbox of its own."""

import logging
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from urllib.parse import urlsplit, urlunsplit

from listener import __version__
from listener.backoff import Backoff
from listener.config.outputs import WebhookSettings
from listener.config.station import ConfigError
from listener.faults import FaultBarrier, describe
from listener.mqtt.messages import DeliveryListener, OutboundMessage
from listener.sinks.event_document import EventDocuments
from listener.sinks.sink import BundleNotice, EventNotice, EventQueue, Level, Notice

log = logging.getLogger(__name__)

TOPIC = "webhook"  # an outbox has topics; here all messages go to one place
_MAX_REASON_CHARACTERS = 200
_CLOSE_SECONDS = 0.5
# These answers are about the message. Any other may be about the server or its setup.
_REFUSALS = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


class WebhookSink:
    """Puts starts and ends of events into the queue."""

    accepts = (BundleNotice, EventNotice, Level)

    def __init__(self, events: EventQueue, documents: EventDocuments) -> None:
        self._events, self._documents = events, documents

    def handle(self, notice: Notice) -> None:
        """Queue one event; does not block."""
        match notice:
            case EventNotice():
                self._events.put(TOPIC, self._documents.of(notice))
            case BundleNotice():
                self._documents.set_bundle(notice)
            case Level():  # the last known time of an event that a crash leaves open
                self._events.note_analysed(notice.source, notice.at)

    def close(self) -> None:
        """Nothing to flush here: the outbox does."""


class WebhookError(Exception):
    """The message was not accepted and is worth another try; one line that says why."""


class RefusedError(Exception):
    """The message will never be accepted; one line that says why."""


class Receiver:
    """The server of the settings. Certificates and host names are checked, redirects not followed.

    Raises:
        ConfigError: the token's or the authorities' file cannot be used.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        parts = urlsplit(settings.url)
        self.name = parts.hostname or ""
        """For the log: the rest of the URL may hold a secret."""
        self._port = parts.port
        self._target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        self._timeout_seconds = settings.timeout_seconds
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            try:
                self._tls = ssl.create_default_context(cafile=settings.ca_file)
            except OSError as error:  # SSLError is one
                reason = f"webhook.ca_file: cannot use {settings.ca_file}: {error}"
                raise ConfigError(reason) from error
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": f"earshot/{__version__}",
        }
        if settings.token_file is not None:
            self._headers["Authorization"] = f"Bearer {_read_token(settings.token_file)}"

    def post(self, body: bytes) -> None:
        """Send JSON.

        Raises:
            WebhookError: no connection, no answer in time, or an answer that is not about the message.
            RefusedError: the server refuses this message.
        """
        with self._connected() as connection:
            connection.request("POST", self._target, body, self._headers)
            status = connection.getresponse().status
        if status in _REFUSALS:
            raise RefusedError(f"{self.name} answered {status}")
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise WebhookError(f"expected an answer from 200 to 299, got {status}")

    def reach(self) -> None:
        """Connect, with TLS if the URL says so, and send nothing.

        Raises:
            WebhookError: that cannot be done.
        """
        with self._connected():
            pass

    @contextmanager
    def _connected(self) -> Iterator[HTTPConnection]:
        seconds = self._timeout_seconds
        if self._tls is None:
            connection = HTTPConnection(self.name, self._port, timeout=seconds)
        else:
            connection = HTTPSConnection(self.name, self._port, timeout=seconds, context=self._tls)
        try:
            connection.connect()
            yield connection
        except (OSError, HTTPException) as error:
            reason = " ".join(str(error).split())[:_MAX_REASON_CHARACTERS]
            raise WebhookError(f"{type(error).__name__}: {reason}") from error
        finally:
            connection.close()


def _read_token(path: Path) -> str:
    try:
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"webhook.token_file: cannot read {path}: {error}") from error
    if not token or not token.isprintable():
        raise ConfigError(f"webhook.token_file: expected one line in {path}")
    return token


class WebhookTransport:
    """Posts the messages of an outbox on one thread, in order and at least once.

    After a failure it waits, longer each time, and starts again at the oldest message: for the outbox a
    failure is a lost connection, and the next try is the next connection. A message that fails in an
    unexpected way five times, alone, is quarantined by the outbox.
    """

    def __init__(
        self, receiver: Receiver, faults: Counter[str], backoff: Backoff | None = None
    ) -> None:
        self._receiver = receiver
        self._barrier = FaultBarrier("webhook-post", faults)
        self._backoff = backoff or Backoff()
        self._listener: DeliveryListener | None = None
        self._messages: SimpleQueue[OutboundMessage | None] = SimpleQueue()
        self._connection = 1
        self._failing = False
        self._closing = Event()
        # daemon: a receiver whose answer trickles in must not keep the process from ending
        self._thread = Thread(target=self._run, name="webhook-post", daemon=True)

    def set_listener(self, listener: DeliveryListener) -> None:
        """Tell the outbox what happens to its messages; before the start."""
        self._listener = listener

    def send(self, message: OutboundMessage) -> None:
        """See listener.mqtt.messages.Transport."""
        self._messages.put(message)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop; a POST that is under way is abandoned."""
        self._closing.set()
        self._messages.put(None)
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        listener = self._listener
        if listener is None:
            return
        listener.connected(self._connection, None)
        while (message := self._messages.get()) is not None and not self._closing.is_set():
            if message.connection != self._connection:
                continue  # it was handed over before a failure
            try:
                self._receiver.post(message.payload)
            except RefusedError as error:
                listener.answered(message.key, str(error))
            except WebhookError as error:
                self._fail(str(error), listener, suspect=False)
            except Exception as error:  # perhaps this message is its cause
                with self._barrier:
                    raise
                self._fail(describe(error), listener, suspect=message.alone)
            else:
                listener.answered(message.key, None)
                if self._failing:
                    log.info("webhook %s: events arrive again", self._receiver.name)
                    self._failing = False
                    self._backoff.reset()

    def _fail(self, reason: str, listener: DeliveryListener, *, suspect: bool) -> None:
        if not self._failing:
            log.warning("webhook %s: events wait: %s", self._receiver.name, reason)
        self._failing = True
        listener.lost(suspect=suspect)
        self._connection += 1
        if not self._closing.wait(self._backoff.next_seconds()):
            listener.connected(self._connection, None)
