"""Sends the messages of the store in order: a window, one by one after a break, poison quarantined."""

import logging
import time
from collections import deque
from collections.abc import Callable

from listener.mqtt.messages import OutboundMessage, Transport
from listener.outbox.row import Row, State, why_unsendable
from listener.outbox.store import Store

log = logging.getLogger(__name__)

WINDOW = 10  # messages that wait for their acknowledgement
MAX_TRIES = 5  # connections that a message may break
# Before a suspect is tried again, the connection must have lasted so long without it: a network that
# cuts by itself would cut then, too, and nothing is suspected.
SETTLE_SECONDS = 1.0
# A broker acknowledges before it has written: what a killed one acknowledged so shortly before is sent
# again. A Mosquitto that writes after every change forgets up to a tenth of a second.
DOUBTFUL_SECONDS = 1.0


class OutboxSender:
    """Decides which message goes next; owned by the outbox's thread.

    After a connection was lost the oldest messages are sent again, the first ones each alone: if the
    broker ends connections on one of them, it is known which.
    """

    def __init__(
        self,
        store: Store,
        transport: Transport,
        now: Callable[[], float] = time.monotonic,
        *,
        doubtful_seconds: float = DOUBTFUL_SECONDS,
    ) -> None:
        self._store, self._transport, self._now = store, transport, now
        self._doubtful_seconds = doubtful_seconds
        self._connection: int | None = None
        self._connected_at = 0.0
        self._max_packet_bytes: int | None = None
        self._alone = 0  # so many more are sent one by one
        self.in_flight: dict[int, Row] = {}
        self._acknowledged: deque[tuple[float, Row]] = deque()  # lately, the oldest first
        self._cursors: dict[State, int] = {"waiting": 0, "again": 0}

    @property
    def cursor(self) -> int:
        """Waiting messages with a higher seq have not been handed over."""
        return self._cursors["waiting"]

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to send on."""
        return self._connection is not None

    def connected(self, connection: int, max_packet_bytes: int | None) -> None:
        """Start again at the oldest message that was not acknowledged."""
        self._connection, self._connected_at = connection, self._now()
        self._max_packet_bytes = max_packet_bytes
        self._rewind()

    def lost(self, *, suspect: bool) -> None:
        """Send nothing until the next connection."""
        if suspect:
            for row in self.in_flight.values():  # one: it was alone
                tried = self._store.mark_tried(row)
                if tried.tries >= MAX_TRIES:
                    reason = f"broke {tried.tries} connections, alone on each"
                    self._store.settle(tried, "quarantined", reason)
                    log.error("outbox: seq %d on %s is quarantined: %s", row.seq, row.topic, reason)
        self._forget_certain()
        for _, row in self._acknowledged:
            self._store.put_back(row)
        self._acknowledged.clear()
        self._connection = None
        self._alone = WINDOW
        self._rewind()

    def _rewind(self) -> None:
        self.in_flight.clear()
        self._cursors = {"waiting": 0, "again": 0}

    def _forget_certain(self) -> None:
        until = self._now() - self._doubtful_seconds
        while self._acknowledged and self._acknowledged[0][0] <= until:
            self._acknowledged.popleft()

    def answered(self, seq: int, refusal: str | None) -> None:
        """A message is finished; one that is refused is a dead letter."""
        row = self.in_flight.pop(seq, None)
        if row is None:
            return
        self._alone = max(0, self._alone - 1)
        if refusal is None:
            self._store.settle(row, "done")
            self._forget_certain()
            self._acknowledged.append((self._now(), row))
        else:
            self._give_up(row, f"refused by the broker: {refusal}")

    def _give_up(self, row: Row, reason: str) -> None:
        log.warning("outbox: seq %d on %s is a dead letter: %s", row.seq, row.topic, reason)
        self._store.settle(row, "dead", reason)

    def send_due(self) -> None:
        """Hand over what may go now: waiting messages before those that are replayed."""
        while self._connection is not None and (room := self._room) > 0:
            rows = self._next(room)
            if not rows or (rows[0].tries and not self._is_settled):
                return
            for row in rows:
                self._cursors[row.state] = row.seq
                fault = why_unsendable(row, self._max_packet_bytes)
                if fault is not None:
                    self._give_up(row, fault)
                    continue
                self.in_flight[row.seq] = row
                self._transport.send(
                    OutboundMessage(
                        self._connection, row.seq, row.topic, row.payload, bool(self._alone)
                    )
                )

    @property
    def wait_seconds(self) -> float:
        """How long until there may be something to send without any request."""
        settled_in = self._connected_at + SETTLE_SECONDS - self._now()
        return settled_in if self.is_connected and settled_in > 0 else SETTLE_SECONDS

    @property
    def _is_settled(self) -> bool:
        return self._now() >= self._connected_at + SETTLE_SECONDS

    @property
    def _room(self) -> int:
        return (1 if self._alone else WINDOW) - len(self.in_flight)

    def _next(self, room: int) -> list[Row]:
        states: tuple[State, ...] = ("waiting", "again")
        found = (self._store.first(state, self._cursors[state], room) for state in states)
        rows: list[Row] = next((rows for rows in found if rows), [])
        if any(row.tries for row in rows):
            self._alone = max(1, self._alone)
            return rows[: max(0, self._room)]
        return rows
