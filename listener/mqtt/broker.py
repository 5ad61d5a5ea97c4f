"""The one MQTT connection of a station: will, reconnect with back-off, retained state."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Protocol

from listener.backoff import Backoff
from listener.config.outputs import MqttSettings
from listener.health import Health
from listener.mqtt.client import describe
from listener.mqtt.connection import Connection
from listener.mqtt.messages import (
    DeliveryListener,
    InboundMessage,
    OutboundMessage,
    Subscription,
    Subscriptions,
)
from listener.mqtt.send_queue import Paces, QoS0Message, QueuedMessage, SendQueue
from listener.mqtt.session import OFFLINE, ONLINE, Session

log = logging.getLogger(__name__)

# Two clients with one id cut each other off, and not every broker says why: a connection that stood for
# less counts as a failure, and after a take-over we leave the other one alone for a while.
_STABLE_SECONDS = 5.0
_TAKEN_OVER_SECONDS = 60.0

_EPISODE_SECONDS = 60.0  # without a sign of it, the next sign is news again
CLOSE_SECONDS = 1.0
# A name server that does not answer, then a few addresses that do not: nothing hangs meanwhile
_CONNECT_GRACE_SECONDS = 60.0
_LOOK_SECONDS = 0.5


# Another machine that speaks as the same station: both would write the same retained topics.


class DuplicateClientWatch:
    """Looks at what others publish as the station's `status`; on the thread of the connection.

    Its `online` is reported once an episode. `answer`: say `online` again, so that a rival hears of us,
    too, or because an `offline`, perhaps the will of an older machine, has taken its place.
    """

    def __init__(self, status_topic: str, health: Health) -> None:
        self._status_topic, self._health = status_topic, health
        self._seen_at: float | None = None
        self.answer = False

    def take(self, message: InboundMessage) -> None:
        """A status that was not published by this connection."""
        if message.payload == OFFLINE:
            self.answer = True
        elif message.payload == ONLINE:
            self._report()

    def _report(self) -> None:
        now = time.monotonic()
        is_news = self._seen_at is None or now - self._seen_at > _EPISODE_SECONDS
        self._seen_at = now
        if is_news:
            self._health.mqtt_rivals += 1
            self.answer = True
            log.error(
                "mqtt: another machine publishes %s: each station needs a name of its own",
                self._status_topic,
            )


class Publisher(Protocol):
    """Takes messages for the broker; never blocks."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Send a message, now or when there is a connection.

        The newest retained payload of each topic is published again on every connection. A QoS 0
        message without a connection is lost; of others a thousand wait, in memory: what must not be lost
        goes through the outbox.
        """


class Broker:
    """Publishes for a station, whose `status` is `online` while there is a connection.

    One thread, `mqtt`, does everything with paho; all methods only put into its queue. What goes wrong
    there is logged and counted, and the connection is made anew.

    Raises:
        BrokerError: a host name that is none, a password or TLS file that cannot be read.
    """

    def __init__(
        self, settings: MqttSettings, client_id: str, status_topic: str, health: Health
    ) -> None:
        self._address = f"{settings.host}:{settings.port}"
        self._status_topic, self._health = status_topic, health
        self._connection = Connection(settings, client_id, (status_topic, OFFLINE))
        self._outgoing, self._paces, self._backoff = SendQueue(), Paces(), Backoff()
        self._outgoing.add(QueuedMessage(status_topic, ONLINE, retain=True), connected=False)
        self._rival = DuplicateClientWatch(status_topic, health)
        self._subscriptions = Subscriptions()
        self._subscriptions.add(Subscription(status_topic, self._rival.take, others_only=True))
        self._senders: tuple[DeliveryListener, ...] = ()
        self._inbox: SimpleQueue[QueuedMessage | OutboundMessage | QoS0Message] = SimpleQueue()
        self._closing = Event()
        self._session: Session | None = None
        self._sessions = 0
        self._reported: set[str] = set()  # of this episode
        self._crowded = False
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
        """Answer a message; `correlation` is what it gave to be known by (MQTT 5)."""
        self._put(QueuedMessage(topic, payload, correlation=correlation))

    def carry(self, parcel: OutboundMessage) -> None:
        """Send a message of the outbox; see listener.mqtt.messages."""
        self._put(parcel)

    def _put(self, item: QueuedMessage | OutboundMessage | QoS0Message) -> None:
        self._inbox.put(item)
        self._connection.wake()

    def subscribe(self, topic: str, take: Callable[[InboundMessage], None]) -> None:
        """Hand over every message of a topic (QoS 1); before the start.

        `take` is called on the network thread: put into a queue.
        """
        self._subscriptions.add(Subscription(topic, take))

    def send_for(self, sender: DeliveryListener) -> None:
        """Tell the outbox what becomes of its parcels; before the start."""
        self._senders = (sender,)

    def close(self) -> None:
        """Publish `offline`, wait for what is in flight, disconnect; two seconds at most."""
        self._closing.set()
        self._connection.wake()
        if self._thread.is_alive():
            self._thread.join(2 * CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._live()
            except Exception:  # a bug here or in paho must not silence the station for months
                log.exception("mqtt %s: the connection failed and is made anew", self._address)
                self._begin_anew()
            self._pause(self._end_session())

    def _begin_anew(self) -> None:
        self._health.mqtt_loop_errors += 1
        self._connection.begin_anew()

    def _live(self) -> None:
        """One connection, from CONNECT to its end."""
        self._health.beat("mqtt", _CONNECT_GRACE_SECONDS)
        try:
            self._connection.open()
        except OSError as error:
            self._report(describe(error))
            return
        session = self._session = self._begin_session()
        while session.ended is None and not self._closing.is_set():
            self._serve(session)
        self._take_inbox()
        if session.ended is None and session.accepted and not session.close(CLOSE_SECONDS):
            log.warning("mqtt %s: closed before everything was sent", self._address)

    def _begin_session(self) -> Session:
        self._sessions += 1
        return Session(
            self._sessions,
            self._connection,
            self._outgoing,
            self._paces,
            self._subscriptions,
            self._status_topic,
            self._health,
            self._senders,
        )

    def _serve(self, session: Session) -> None:
        self._health.beat("mqtt")
        was_accepted = session.accepted
        self._take_inbox()
        for message in session.serve():
            self._subscriptions.deliver(message)
        if session.accepted and not was_accepted:
            self._reported.clear()
            log.info("mqtt %s: connected", self._address)
        if session.refusal is not None:
            self._report(session.refusal)
            session.refusal = None
        if self._rival.answer:
            self._rival.answer = False
            self._outgoing.add(
                QueuedMessage(self._status_topic, ONLINE, retain=True), connected=True
            )

    def _take_inbox(self) -> None:
        for _ in range(self._inbox.qsize()):
            try:
                self._sort(self._inbox.get_nowait())
            except Empty:
                return

    def _sort(self, item: QueuedMessage | OutboundMessage | QoS0Message) -> None:
        accepted = self._session is not None and self._session.accepted
        match item:
            case QueuedMessage():
                self._add(item, connected=accepted)
            case OutboundMessage():
                if accepted and item.connection == self._sessions:
                    self._outgoing.add_parcel(item)
            case QoS0Message():
                if accepted:
                    self._connection.client.publish(item.topic, item.payload, 0)

    def _add(self, post: QueuedMessage, *, connected: bool) -> None:
        taken = self._outgoing.add(post, connected=connected)
        if not taken:
            self._health.mqtt_dropped += 1
            if not self._crowded:
                log.warning("mqtt %s: queue full, the newest messages are lost", self._address)
        self._crowded = not taken

    def _end_session(self) -> float:
        """Clear up; how long to rest."""
        session, self._session = self._session, None
        if session is None:
            return self._backoff.next_seconds()
        session.finish()
        if session.stood_seconds >= _STABLE_SECONDS:
            self._backoff.reset()
        if session.ended is not None:
            self._report_end(session, session.ended.reason)
            if session.ended.taken_over:
                return self._backoff.spread(_TAKEN_OVER_SECONDS)
        return self._backoff.next_seconds()

    def _report_end(self, session: Session, reason: str) -> None:
        if session.ended is not None and session.ended.taken_over:
            log.error(
                "mqtt %s: another client connected with our id: two stations of one name on this machine?",
                self._address,
            )
        elif session.accepted:
            self._report(f"connection lost: {reason}")
        elif not self._reported:  # a refusal was reported with its reason already
            self._report(f"closed before the broker answered: {reason}")

    def _pause(self, seconds: float) -> None:
        waited = 0.0
        while waited < seconds and not self._closing.is_set():
            self._health.beat("mqtt")
            step = min(_LOOK_SECONDS, seconds - waited)
            self._closing.wait(step)
            waited += step
            self._take_inbox()

    def _report(self, problem: str) -> None:
        """Log a problem, once until the next connection."""
        if problem not in self._reported:
            self._reported.add(problem)
            log.warning("mqtt %s: %s", self._address, problem)
