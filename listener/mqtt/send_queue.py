"""What waits to be sent, what is retained, and what waits for its acknowledgement."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from listener.backoff import TokenBucket
from listener.mqtt.messages import OutboundMessage

IN_FLIGHT = 20  # messages that wait for their acknowledgement
_POSTS = 1_000  # answers that wait for a connection
_STATES = (
    1_000  # changes beyond two of each retained topic that wait; above, only the newest of each
)
MESSAGES_PER_SECOND = 200.0
BURST_MESSAGES = 100  # Mosquitto keeps 1000 for a subscriber
# States, while no event is on its way: a source with YAMNet's 521 labels at once, and 64 in half a minute
STATES_PER_SECOND = 1000.0
BURST_STATES = 600


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message to send; `correlation` is what an answer is known by (MQTT 5)."""

    topic: str
    payload: bytes
    retain: bool = False
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class QoS0Message:
    """A message of QoS 0, lost where there is no connection."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """A message in flight; `at` is monotonic seconds."""

    item: QueuedMessage | OutboundMessage
    at: float


class SendQueue:
    """Queues of one thread: retained states and parcels take turns, answers go first."""

    def __init__(self) -> None:
        self.retained: dict[str, bytes] = {}
        self.in_flight: dict[int, Sent] = {}  # by paho's message id, the oldest first
        self.limit = IN_FLIGHT
        self._posts: deque[QueuedMessage] = deque()
        self._states: deque[QueuedMessage] = deque()
        self._parcels: deque[OutboundMessage] = deque()
        self._parcels_turn = False

    def add(self, post: QueuedMessage, *, connected: bool) -> bool:
        """Send it when it is its turn; False if too many wait.

        Of a retained topic the newest payload is published after every connect.
        """
        if post.retain:
            self.retained[post.topic] = post.payload
            if connected:
                self._add_state(post)
            return True
        if len(self._posts) >= _POSTS:
            return False
        self._posts.append(post)
        return True

    def _add_state(self, post: QueuedMessage) -> None:
        self._states.append(post)
        if len(self._states) > _STATES + 2 * len(self.retained):
            newest = {state.topic: state for state in self._states}
            self._states = deque(newest.values())

    def add_parcel(self, parcel: OutboundMessage) -> None:
        """After the parcels before it."""
        self._parcels.append(parcel)

    def begin(self, receive_maximum: int | None, first_topic: str) -> QueuedMessage:
        """A new connection: what is retained goes again, `first_topic` before all else."""
        self.limit = min(IN_FLIGHT, receive_maximum or IN_FLIGHT)
        states = [
            QueuedMessage(topic, payload, retain=True) for topic, payload in self.retained.items()
        ]
        self._states = deque(state for state in states if state.topic != first_topic)
        return QueuedMessage(first_topic, self.retained[first_topic], retain=True)

    def end(self) -> None:
        """The connection is gone: answers in flight wait again, parcels are the outbox's."""
        items = [sent.item for sent in self.in_flight.values()]
        posts = [item for item in items if isinstance(item, QueuedMessage) and not item.retain]
        self._posts.extendleft(reversed(posts))
        self.in_flight.clear()
        self._states.clear()
        self._parcels.clear()

    @property
    def is_empty(self) -> bool:
        """Nothing waits, nothing is in flight."""
        return not (self._posts or self._states or self._parcels or self.in_flight)

    @property
    def has_parcels(self) -> bool:
        """Messages of the outbox wait or are in flight."""
        sent = self.in_flight.values()
        return bool(self._parcels) or any(isinstance(one.item, OutboundMessage) for one in sent)

    @property
    def may_go(self) -> bool:
        """There is something that the pace alone may hold back."""
        if self.alone is not None or len(self.in_flight) >= self.limit:
            return False
        return bool(self._posts or self._states or self._parcels) and not self._must_wait()

    def _must_wait(self) -> bool:
        """A parcel that goes alone waits until nothing is in flight."""
        return bool(self._parcels and self._parcels[0].alone and self.in_flight)

    def take(self) -> QueuedMessage | OutboundMessage:
        """What goes next; only if it `may_go`."""
        if self._posts:
            return self._posts.popleft()
        self._parcels_turn = bool(self._parcels) and (self._parcels_turn or not self._states)
        chosen: QueuedMessage | OutboundMessage
        chosen = self._parcels.popleft() if self._parcels_turn else self._states.popleft()
        self._parcels_turn = not self._parcels_turn
        return chosen

    def note_sent(self, mid: int, item: QueuedMessage | OutboundMessage) -> None:
        """It waits for its acknowledgement."""
        self.in_flight[mid] = Sent(item, time.monotonic())

    @property
    def alone(self) -> Sent | None:
        """The parcel that is in flight alone."""
        first = next(iter(self.in_flight.values()), None)
        return (
            first
            if first and isinstance(first.item, OutboundMessage) and first.item.alone
            else None
        )

    @property
    def oldest_at(self) -> float | None:
        """When the oldest message in flight was sent, monotonic seconds."""
        return next((sent.at for sent in self.in_flight.values()), None)


# How fast messages go out: the broker's queue for a slow subscriber overflows in silence.


class Paces:
    """One for everything while events are on their way, a faster one for states alone."""

    def __init__(self) -> None:
        self._events = TokenBucket(MESSAGES_PER_SECOND, BURST_MESSAGES)
        self._states = TokenBucket(STATES_PER_SECOND, BURST_STATES)

    def now(self, *, has_events: bool) -> TokenBucket:
        """The one that counts now."""
        return self._events if has_events else self._states
