"""One connection, from CONNECT to its end: what is sent, and how long an answer may take."""

import time
from collections.abc import Callable, Sequence

from listener.health import Health
from listener.mqtt import messages, send_queue
from listener.mqtt.connection import Accepted, Acknowledged, Connection, Ended, Refused

ONLINE, OFFLINE = b"online", b"offline"
ANSWER_SECONDS = 5.0  # without any answer for so long, the connection is a black hole
# A broker that rejects a message ends the connection at once; later it had another reason
_SUSPECT_SECONDS = 2.0
_IDLE_SECONDS = 1.0


class Session:
    """One connection, on the connection's thread.

    It is proven once the station's `status`, which every broker takes, is acknowledged; the listener
    learns of it only then.
    """

    def __init__(
        self,
        number: int,
        connection: Connection,
        queue: send_queue.SendQueue,
        subscriptions: Sequence[messages.Subscription],
        status_topic: str,
        health: Health,
        listener: messages.DeliveryListener | None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._number, self._connection, self._queue = number, connection, queue
        self._subscriptions, self._status_topic = subscriptions, status_topic
        self._health, self._listener, self._now = health, listener, now
        self._opened_at = now()
        self._max_packet_bytes: int | None = None
        self._proof: int | None = None  # message id of the status
        self._proven_at: float | None = None
        self.accepted = False
        self.ended: Ended | None = None
        self.refusal: str | None = None

    def serve(self) -> list[messages.InboundMessage]:
        """Do what is due, waiting for it at most a second; gives the messages that came in."""
        incoming: list[messages.InboundMessage] = []
        for event in self._connection.serve(self._wait_seconds()):
            match event:
                case messages.InboundMessage():
                    incoming.append(event)
                case Accepted():
                    self._accept(event)
                case Refused():
                    self.refusal = f"refused by the broker: {event.reason}"
                case Acknowledged():
                    self._acknowledge(event)
                case Ended():
                    self.ended = self.ended or event
        if self.ended is None:
            queue = self._queue
            while self.accepted and queue.can_send and not (rate := queue.rate).wait_seconds:
                rate.take()
                self._publish(queue.pop())
            since = self._unanswered_since
            if since is not None and self._now() - since >= ANSWER_SECONDS:
                self._connection.cut()
                reason = f"no answer for {ANSWER_SECONDS:g} s"
                self.ended = Ended(reason, by_broker=False, taken_over=False)
        return incoming

    def _wait_seconds(self) -> float:
        waits = [_IDLE_SECONDS]
        if (since := self._unanswered_since) is not None:
            waits.append(since + ANSWER_SECONDS - self._now())
        if self.accepted and self._queue.can_send:
            waits.append(self._queue.rate.wait_seconds)
        return max(0.0, min(waits))

    @property
    def _unanswered_since(self) -> float | None:
        return self._queue.oldest_sent_at if self.accepted else self._opened_at

    def _accept(self, event: Accepted) -> None:
        self.accepted = True
        self._health.mqtt_connected = True
        self._max_packet_bytes = event.max_packet_bytes
        status = self._queue.begin(event.receive_maximum, self._status_topic)
        self._proof = self._publish(status)
        for subscription in self._subscriptions:
            subscription.subscribe(self._connection.client)

    def _acknowledge(self, event: Acknowledged) -> None:
        sent = self._queue.in_flight.pop(event.mid, None)
        if sent is None:
            return
        if self._listener is not None and isinstance(sent.message, messages.OutboundMessage):
            self._listener.answered(sent.message.key, event.refusal)
        if event.refusal is not None:
            self._health.mqtt_refused += 1
            self.refusal = f"message refused by the broker: {event.refusal}"
        if event.mid == self._proof:
            self._proof, self._proven_at = None, self._now()
            if self._listener is not None:
                self._listener.connected(self._number, self._max_packet_bytes)

    def _publish(self, message: send_queue.QoS1Message) -> int:
        retain, properties = False, None
        if isinstance(message, send_queue.QueuedMessage):
            retain, properties = (
                message.retain,
                messages.correlation_properties(message.correlation),
            )
        info = self._connection.client.publish(
            message.topic, message.payload, 1, retain, properties=properties
        )
        self._queue.mark_sent(info.mid, message)
        return info.mid

    def finish(self) -> None:
        """Clean up after its end, whatever ended it."""
        self._health.mqtt_connected = False
        alone, ended = self._queue.sent_alone, self.ended
        suspect = (
            alone is not None
            and self._now() - alone.at < _SUSPECT_SECONDS
            and ended is not None
            and ended.by_broker
            and not ended.taken_over
        )
        self._queue.end()
        self._connection.cut()
        if self._listener is not None and self._proven_at is not None:
            self._listener.lost(suspect=suspect)

    @property
    def proven_seconds(self) -> float:
        """How long it has been proven; 0: it is not."""
        return 0.0 if self._proven_at is None else self._now() - self._proven_at

    def close(self, seconds: float) -> bool:
        """Send what waits, then `offline`, and disconnect; whether everything was acknowledged."""
        deadline = time.monotonic() + seconds
        self._serve_until_empty(deadline)
        if self.ended is None and self.accepted:
            self._publish(send_queue.QueuedMessage(self._status_topic, OFFLINE, retain=True))
        self._serve_until_empty(deadline)
        if self.ended is not None:
            return False
        complete = self._queue.is_empty
        self._connection.client.disconnect()
        return complete

    def _serve_until_empty(self, deadline: float) -> None:
        while self.ended is None and not self._queue.is_empty and time.monotonic() < deadline:
            self.serve()
