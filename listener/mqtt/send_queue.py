"""What waits to be sent, what is retained, and what waits for its acknowledgement."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from listener.backoff import TokenBucket
from listener.mqtt.messages import OutboundMessage

IN_FLIGHT = 20  # messages that wait for their acknowledgement
_MAX_ANSWERS = 1_000  # that wait for a connection
# Changes that wait, beyond two of each retained topic; above, only the newest of each is kept
_MAX_STATES = 1_000
# While events are sent: Mosquitto keeps 1000 messages for a slow subscriber and drops more silently
MESSAGES_PER_SECOND = 200.0
BURST_MESSAGES = 100
# While only states are sent: YAMNet's 521 labels of a source at once, and 64 such sources in half a minute
STATES_PER_SECOND = 1000.0
BURST_STATES = 600


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message to send with QoS 1; `correlation` tells the requester what it answers (MQTT 5)."""

    topic: str
    payload: bytes
    retain: bool = False
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class QoS0Message:
    """A message to send with QoS 0, lost if there is no connection."""

    topic: str
    payload: bytes


QoS1Message = QueuedMessage | OutboundMessage


@dataclass(frozen=True, slots=True)
class Sent:
    """A message in flight; `at` is monotonic seconds."""

    message: QoS1Message
    at: float


class SendQueue:
    """Queues of one thread: answers go first, retained states and the outbox's messages take turns."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.retained: dict[str, bytes] = {}
        self.in_flight: dict[int, Sent] = {}  # by paho's message id, the oldest first
        self._in_flight_limit = IN_FLIGHT
        self._answers: deque[QueuedMessage] = deque()
        self._states: deque[QueuedMessage] = deque()
        self._outbound: deque[OutboundMessage] = deque()
        self._outbound_next = False
        self._now = now
        self._event_rate = TokenBucket(MESSAGES_PER_SECOND, BURST_MESSAGES, now)
        self._state_rate = TokenBucket(STATES_PER_SECOND, BURST_STATES, now)

    def add(self, message: QueuedMessage, *, connected: bool) -> bool:
        """Send it in its turn; False if too many wait.

        The newest payload of a retained topic is published again on every connection.
        """
        if not message.retain:
            if len(self._answers) >= _MAX_ANSWERS:
                return False
            self._answers.append(message)
            return True
        self.retained[message.topic] = message.payload
        if connected:
            self._states.append(message)
            if len(self._states) > _MAX_STATES + 2 * len(self.retained):
                newest = {state.topic: state for state in self._states}
                self._states = deque(newest.values())
        return True

    def add_outbound(self, message: OutboundMessage) -> None:
        """Send a message of the outbox, in the order of the calls."""
        self._outbound.append(message)

    def begin(self, receive_maximum: int | None, first_topic: str) -> QueuedMessage:
        """A new connection: queue all retained payloads but that of `first_topic`, which is returned."""
        self._in_flight_limit = min(IN_FLIGHT, receive_maximum or IN_FLIGHT)
        self._states = deque(
            QueuedMessage(topic, payload, retain=True)
            for topic, payload in self.retained.items()
            if topic != first_topic
        )
        return QueuedMessage(first_topic, self.retained[first_topic], retain=True)

    def end(self) -> None:
        """The connection is gone: answers in flight wait again, the outbox knows its own messages."""
        messages = [sent.message for sent in self.in_flight.values()]
        answers = [m for m in messages if isinstance(m, QueuedMessage) and not m.retain]
        self._answers.extendleft(reversed(answers))
        self.in_flight.clear()
        self._states.clear()
        self._outbound.clear()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and nothing is in flight."""
        return not (self._answers or self._states or self._outbound or self.in_flight)

    @property
    def can_send(self) -> bool:
        """Whether there is a message that only the rate may hold back."""
        if self.sent_alone is not None or len(self.in_flight) >= self._in_flight_limit:
            return False
        if self._outbound and self._outbound[0].alone and self.in_flight:
            return False  # it waits until nothing is in flight
        return bool(self._answers or self._states or self._outbound)

    @property
    def rate(self) -> TokenBucket:
        """The limit that applies now; it is stricter while messages of the outbox wait or are in flight."""
        if self._outbound or any(
            isinstance(sent.message, OutboundMessage) for sent in self.in_flight.values()
        ):
            return self._event_rate
        return self._state_rate

    def pop(self) -> QoS1Message:
        """The next message to send; only if `can_send`."""
        if self._answers:
            return self._answers.popleft()
        is_outbound = bool(self._outbound) and (self._outbound_next or not self._states)
        self._outbound_next = not is_outbound
        return self._outbound.popleft() if is_outbound else self._states.popleft()

    def mark_sent(self, mid: int, message: QoS1Message) -> None:
        """It waits for its acknowledgement."""
        self.in_flight[mid] = Sent(message, self._now())

    @property
    def sent_alone(self) -> Sent | None:
        """The message in flight that has to be alone; None if there is none."""
        first = next(iter(self.in_flight.values()), None)
        if first is not None and isinstance(first.message, OutboundMessage) and first.message.alone:
            return first
        return None

    @property
    def oldest_sent_at(self) -> float | None:
        """When the oldest message in flight was sent, monotonic seconds."""
        return next((sent.at for sent in self.in_flight.values()), None)
