"""The one MQTT connection of a station: will, reconnect with back-off, retained state."""

import logging
import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread
from typing import Protocol

from listener.backoff import Backoff
from listener.config.outputs import MqttSettings
from listener.health import Health
from listener.mqtt import client, connection
from listener.mqtt.messages import DeliveryListener, InboundMessage, OutboundMessage, Subscription
from listener.mqtt.send_queue import QoS0Message, QueuedMessage, SendQueue
from listener.mqtt.session import OFFLINE, ONLINE, Session

log = logging.getLogger(__name__)

# Two clients with one id cut each other off, and not every broker says why: a connection that lasted
# less counts as a failure, and after a take-over the other client is left alone for a while.
STABLE_SECONDS = 5.0
TAKEN_OVER_SECONDS = 60.0

_EPISODE_SECONDS = 60.0  # a duplicate client that was not seen for so long is reported again
CLOSE_SECONDS = 1.0
# A name server and then a few addresses that do not answer: the thread does not hang
_CONNECT_GRACE_SECONDS = 60.0
_INBOX_SECONDS = 0.5  # how often the inbox is emptied while there is no connection


class Publisher(Protocol):
    """Takes messages for the broker; never blocks."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Send a message, now or when there is a connection.

        The newest retained payload of each topic is published again on every connection. Without a
        connection a QoS 0 message is lost; of others a thousand wait, in memory: what must not be lost
        goes through the outbox.
        """


class Broker:
    """Publishes for a station, whose `status` is `online` while there is a connection.

    One thread, `mqtt`, does everything with paho; all methods only put into its queue. Errors there are
    logged and counted, and the connection is set up again.

    Raises:
        BrokerError: an invalid host name, a password or TLS file that cannot be read.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        status_topic: str,
        health: Health,
        backoff: Backoff | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = f"{settings.host}:{settings.port}"
        self._status_topic, self._health = status_topic, health
        self._connection = connection.Connection(settings, client_id, (status_topic, OFFLINE))
        self._queue, self._backoff, self._now = SendQueue(now), backoff or Backoff(), now
        self._queue.add(QueuedMessage(status_topic, ONLINE, retain=True), connected=False)
        self._duplicates = DuplicateClientWatch(status_topic, health)
        self._subscriptions = [
            Subscription(status_topic, self._duplicates.receive, others_only=True)
        ]
        self._listener: DeliveryListener | None = None
        self._inbox: SimpleQueue[QueuedMessage | OutboundMessage | QoS0Message] = SimpleQueue()
        self._closing = Event()
        self._session: Session | None = None
        self._sessions = 0
        self._reported: set[str] = set()  # problems since the last connection
        self._queue_full = False
        self._thread = Thread(target=self._run, name="mqtt", daemon=True)
        health.mqtt_connected = False

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and it is not known to be lost."""
        return self._health.mqtt_connected is True

    def start(self) -> None:
        """Connect, now or later: a broker that cannot be reached is logged and tried again."""
        self._thread.start()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Send a message, now or when there is a connection; see Publisher."""
        self._put(QueuedMessage(topic, payload, retain) if qos else QoS0Message(topic, payload))

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Answer a message; `correlation` is what it was sent with (MQTT 5)."""
        self._put(QueuedMessage(topic, payload, correlation=correlation))

    def send(self, message: OutboundMessage) -> None:
        """Send a message of the outbox; see listener.mqtt.messages.Transport."""
        self._put(message)

    def _put(self, message: QueuedMessage | OutboundMessage | QoS0Message) -> None:
        self._inbox.put(message)
        self._connection.wake()

    def subscribe(self, topic: str, handler: Callable[[InboundMessage], None]) -> None:
        """Give every message of a topic (QoS 1) to the handler; before the start.

        It is called on the network thread and should only put into a queue.
        """
        self._subscriptions.append(Subscription(topic, handler))

    def set_listener(self, listener: DeliveryListener) -> None:
        """Tell the outbox what happens to its messages; before the start."""
        self._listener = listener

    def close(self) -> None:
        """Publish `offline`, wait for what is in flight, disconnect; two seconds at most."""
        self._closing.set()
        self._connection.wake()
        if self._thread.is_alive():
            self._thread.join(2 * CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._run_session()
            except Exception:  # a bug here or in paho must not silence the station for months
                log.exception("mqtt %s: the connection failed and is set up again", self._address)
                self._health.mqtt_loop_errors += 1
                self._connection.replace_client()
            self._wait(self._end_session())

    def _run_session(self) -> None:
        self._health.beat("mqtt", _CONNECT_GRACE_SECONDS)
        try:
            self._connection.open()
        except OSError as error:
            self._report(client.describe(error))
            return
        self._sessions += 1
        session = self._session = Session(
            self._sessions,
            self._connection,
            self._queue,
            self._subscriptions,
            self._status_topic,
            self._health,
            self._listener,
            self._now,
        )
        while session.ended is None and not self._closing.is_set():
            self._serve(session)
        self._empty_inbox()
        if session.ended is None and session.accepted and not session.close(CLOSE_SECONDS):
            log.warning("mqtt %s: closed before everything was sent", self._address)

    def _serve(self, session: Session) -> None:
        self._health.beat("mqtt")
        was_accepted = session.accepted
        self._empty_inbox()
        for message in session.serve():
            for subscription in self._subscriptions:
                subscription.deliver(message)
        if session.accepted and not was_accepted:
            self._reported.clear()
            log.info("mqtt %s: connected", self._address)
        if session.refusal is not None:
            self._report(session.refusal)
            session.refusal = None
        if self._duplicates.repeat_status:
            self._duplicates.repeat_status = False
            status = QueuedMessage(self._status_topic, ONLINE, retain=True)
            self._queue.add(status, connected=True)

    def _empty_inbox(self) -> None:
        accepted = self._session is not None and self._session.accepted
        for _ in range(self._inbox.qsize()):  # this thread alone takes from it
            match self._inbox.get_nowait():
                case QueuedMessage() as message:
                    added = self._queue.add(message, connected=accepted)
                    if not added:
                        self._health.mqtt_dropped += 1
                        if not self._queue_full:
                            log.warning(
                                "mqtt %s: queue full, the newest messages are lost", self._address
                            )
                    self._queue_full = not added
                case OutboundMessage() as message:
                    if accepted and message.connection == self._sessions:
                        self._queue.add_outbound(message)
                case QoS0Message(topic, payload):
                    if accepted:
                        self._connection.client.publish(topic, payload, 0)

    def _end_session(self) -> float:
        """Clean up after a connection; gives the seconds to wait before the next one."""
        session, self._session = self._session, None
        if session is None:
            return self._backoff.next_seconds()
        session.finish()
        if session.proven_seconds >= STABLE_SECONDS:
            self._backoff.reset()
        ended = session.ended
        if ended is not None and ended.taken_over:
            log.error(
                "mqtt %s: another client connected with our id: two stations of one name on this machine?",
                self._address,
            )
            return self._backoff.spread(TAKEN_OVER_SECONDS)
        if ended is not None and session.accepted:
            self._report(f"connection lost: {ended.reason}")
        elif (
            ended is not None and not self._reported
        ):  # else a refusal was reported with its reason
            self._report(f"closed before the broker answered: {ended.reason}")
        return self._backoff.next_seconds()

    def _wait(self, seconds: float) -> None:
        waited = 0.0
        while waited < seconds and not self._closing.is_set():
            self._health.beat("mqtt")
            step = min(_INBOX_SECONDS, seconds - waited)
            self._closing.wait(step)
            waited += step
            self._empty_inbox()

    def _report(self, problem: str) -> None:
        """Log a problem once between two connections."""
        if problem not in self._reported:
            self._reported.add(problem)
            log.warning("mqtt %s: %s", self._address, problem)


class DuplicateClientWatch:
    """Watches what others publish as the station's `status`; on the connection's thread.

    An `online` of another machine, which writes the same retained topics, is reported once an episode.
    `repeat_status`: `online` has to be published again, so that the other machine sees us too, or because
    an `offline`, perhaps the will of an older machine, has replaced it.
    """

    def __init__(self, status_topic: str, health: Health) -> None:
        self._status_topic, self._health = status_topic, health
        self._seen_at: float | None = None
        self.repeat_status = False

    def receive(self, message: InboundMessage) -> None:
        """A status that this connection did not publish."""
        if message.payload == OFFLINE:
            self.repeat_status = True
        elif message.payload == ONLINE:
            now = time.monotonic()
            is_news = self._seen_at is None or now - self._seen_at > _EPISODE_SECONDS
            self._seen_at = now
            if is_news:
                self._health.mqtt_duplicate_clients += 1
                self.repeat_status = True
                log.error(
                    "mqtt: another machine publishes %s: each station needs a name of its own",
                    self._status_topic,
                )
