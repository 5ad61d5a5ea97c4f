"""One connection, from CONNECT to its end: what goes out, how long an answer is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

from listener.backoff import TokenBucket
from listener.health import Health
from listener.mqtt.connection import (
    Accepted,
    Acknowledged,
    Connection,
    Ended,
    Happening,
    Refused,
)
from listener.mqtt.messages import (
    DeliveryListener,
    InboundMessage,
    OutboundMessage,
    Subscriptions,
    answer_properties,
)
from listener.mqtt.send_queue import Paces, QueuedMessage, SendQueue

ONLINE, OFFLINE = b"online", b"offline"
ANSWER_SECONDS = 5.0  # without any answer for so long, the connection is a black hole
# A broker ends a connection at once on what it will not have; later it had another reason
_SUSPECT_SECONDS = 2.0
_IDLE_SECONDS = 1.0


class Session:
    """The life of one connection, on the connection's thread.

    It counts as proven when the station's `status`, which no broker minds, is acknowledged: only then
    the sender is told of it.
    """

    def __init__(
        self,
        number: int,
        connection: Connection,
        outgoing: SendQueue,
        paces: Paces,
        subscriptions: Subscriptions,
        status_topic: str,
        health: Health,
        senders: tuple[DeliveryListener, ...],
    ) -> None:
        self._number, self._connection = number, connection
        self._outgoing, self._paces = outgoing, paces
        self._subscriptions, self._status_topic = subscriptions, status_topic
        self._health, self._senders = health, senders
        self._opened_at = time.monotonic()
        self._max_packet_bytes: int | None = None
        self._proof: int | None = None
        self.accepted = False
        self._proven_at: float | None = None
        self.ended: Ended | None = None
        self.refusal: str | None = None

    def serve(self) -> list[InboundMessage]:
        """Do what there is to do now, waiting for something at most a second; messages that came."""
        incoming: list[InboundMessage] = []
        for happening in self._connection.serve(self._pause()):
            if isinstance(happening, InboundMessage):
                incoming.append(happening)
            else:
                self._take(happening)
        if self.ended is None:
            self._send()
            self._be_patient()
        return incoming

    def _pause(self) -> float:
        oldest_at = self._oldest_at
        pauses = [] if oldest_at is None else [oldest_at + ANSWER_SECONDS - time.monotonic()]
        if self.accepted and self._outgoing.may_go:
            pauses.append(self._pace.wait_seconds)
        return max(0.0, min([_IDLE_SECONDS, *pauses]))

    @property
    def _pace(self) -> TokenBucket:
        return self._paces.now(has_events=self._outgoing.has_parcels)

    @property
    def _oldest_at(self) -> float | None:
        return self._outgoing.oldest_at if self.accepted else self._opened_at

    def _take(self, happening: Happening) -> None:
        match happening:
            case Accepted():
                self._accept(happening)
            case Refused():
                self.refusal = f"refused by the broker: {happening.reason}"
            case Acknowledged():
                self._acknowledge(happening)
            case Ended():
                self.ended = self.ended or happening

    def _accept(self, happening: Accepted) -> None:
        self.accepted = True
        self._health.mqtt_connected = True
        self._max_packet_bytes = happening.max_packet_bytes
        status = self._outgoing.begin(happening.receive_maximum, self._status_topic)
        self._proof = self._publish(status)
        self._subscriptions.ask_for_all(self._connection.client)

    def _acknowledge(self, happening: Acknowledged) -> None:
        sent = self._outgoing.in_flight.pop(happening.mid, None)
        if sent is None:
            return
        if isinstance(sent.item, OutboundMessage):
            for sender in self._senders:
                sender.answered(sent.item.key, happening.refusal)
        if happening.refusal is not None:
            self._health.mqtt_refused += 1
            self.refusal = f"message refused by the broker: {happening.refusal}"
        if happening.mid == self._proof:
            self._prove()

    def _prove(self) -> None:
        self._proof, self._proven_at = None, time.monotonic()
        for sender in self._senders:
            sender.connected(self._number, self._max_packet_bytes)

    def _send(self) -> None:
        while self.accepted and self._outgoing.may_go and not self._pace.wait_seconds:
            self._pace.take()
            self._publish(self._outgoing.take())

    def _publish(self, item: QueuedMessage | OutboundMessage) -> int:
        retain = isinstance(item, QueuedMessage) and item.retain
        properties = (
            answer_properties(item.correlation) if isinstance(item, QueuedMessage) else None
        )
        info = self._connection.client.publish(
            item.topic, item.payload, 1, retain, properties=properties
        )
        self._outgoing.note_sent(info.mid, item)
        return info.mid

    def _be_patient(self) -> None:
        oldest_at = self._oldest_at
        if oldest_at is not None and time.monotonic() - oldest_at >= ANSWER_SECONDS:
            self._connection.cut()
            reason = f"no answer for {ANSWER_SECONDS:g} s"
            self.ended = Ended(reason, by_broker=False, taken_over=False)

    def finish(self) -> None:
        """After its end, however it came: everybody is told."""
        self._health.mqtt_connected = False
        suspect = self._is_suspect()
        self._outgoing.end()
        self._connection.cut()
        if self._proven_at is not None:
            for sender in self._senders:
                sender.lost(suspect=suspect)

    @property
    def stood_seconds(self) -> float:
        """How long it has been proven; 0: never."""
        return 0.0 if self._proven_at is None else time.monotonic() - self._proven_at

    def _is_suspect(self) -> bool:
        alone = self._outgoing.alone
        by_broker = self.ended is not None and self.ended.by_broker and not self.ended.taken_over
        return by_broker and alone is not None and time.monotonic() - alone.at < _SUSPECT_SECONDS

    def close(self, seconds: float) -> bool:
        """Send what waits, then `offline`, and disconnect; whether everything was acknowledged."""
        deadline = time.monotonic() + seconds
        self._serve_until(deadline, lambda: self._outgoing.is_empty)
        last = QueuedMessage(self._status_topic, OFFLINE, retain=True)
        if self.ended is None and self.accepted:
            self._publish(last)
        self._serve_until(deadline, lambda: self._outgoing.is_empty)
        whole = self.ended is None and self._outgoing.is_empty
        if self.ended is None:
            self._connection.client.disconnect()
        return whole

    def _serve_until(self, deadline: float, done: Callable[[], bool]) -> None:
        while self.ended is None and not done() and time.monotonic() < deadline:
            self.serve()
