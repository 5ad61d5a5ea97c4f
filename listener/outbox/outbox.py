"""The outbox: messages go to the disk, and from there to the broker, in order, until it has them."""

import logging
import math
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from listener.faults import FaultBarrier
from listener.health import Health
from listener.mqtt.messages import Transport
from listener.outbox.disk import Disk, OutboxError
from listener.outbox.sender import DOUBTFUL_SECONDS, OutboxSender
from listener.outbox.store import Bounds, Store

log = logging.getLogger(__name__)

ACKNOWLEDGED_SECONDS = 0.05  # so long may an acknowledgement wait for others before it is saved
_IDLE_SECONDS = 1.0
_OPEN_SECONDS = 0.5  # while an event is open: how far it is analysed is written down
_NUMBERS_EVERY_SECONDS = 1.0
_INBOX_LIMIT = 10_000  # while the disk does not return from a write
_DISK_GRACE_SECONDS = 60.0  # a worn card may take so long, and to be killed would not help it
_DELETE_EVERY_SECONDS = 60.0
_CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Put:
    topic: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Connected:
    connection: int
    max_packet_bytes: int | None


@dataclass(frozen=True, slots=True)
class _Answered:
    seq: int
    refusal: str | None


@dataclass(frozen=True, slots=True)
class _Lost:
    suspect: bool


@dataclass(frozen=True, slots=True)
class _Replay:
    from_seq: int
    to_seq: int
    count: Future[int]


@dataclass(frozen=True, slots=True)
class _Close:
    deadline: float  # monotonic


_Request = _Put | _Connected | _Answered | _Lost | _Replay | _Close


class Outbox:
    """A durable queue with one thread, which alone touches the store and decides what is sent.

    Every method only puts into a queue; of the store other threads read one reference, `open_sources`.
    `path` None keeps the messages in memory. Events that a crash left open are ended on opening. `stage`
    is the name of its thread and of its numbers. What was acknowledged in the last `doubtful_seconds`
    before a connection broke is sent again. An unexpected error costs the request in which it happens,
    and no other.

    Raises:
        OutboxError: another process uses the file.
    """

    def __init__(
        self,
        path: Path | None,
        bounds: Bounds,
        station: str,
        gap_topic: str,
        transport: Transport,
        health: Health,
        stage: str = "outbox",
        doubtful_seconds: float = DOUBTFUL_SECONDS,
    ) -> None:
        self._health, self._stage = health, stage
        self._barrier = FaultBarrier(stage, health.faults)
        self._numbers = health.add_outbox(stage)
        self._disk = Disk(path, self._numbers)
        self._store = Store(self._disk, bounds, station, gap_topic, self._numbers)
        self._numbers.events = self._store.waiting
        self._sender = OutboxSender(self._store, transport, doubtful_seconds=doubtful_seconds)
        self._inbox: SimpleQueue[_Request] = SimpleQueue()
        self._inbox_full = False
        self._analysed: dict[str, float] = {}  # since the last update; replaced as a whole
        self._updated_at = self._deleted_at = -math.inf
        self._close_by: float | None = None
        self._answered_at: float | None = None  # the first answer that is not saved
        self._thread = Thread(target=self._run, name=stage, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, topic: str, document: dict[str, Any]) -> None:
        """Send a document, with the next `seq` in it, as soon as it is on disk and there is a broker."""
        full = self._inbox.qsize() >= _INBOX_LIMIT
        if full:
            self._numbers.dropped += 1
            if not self._inbox_full:
                log.error("outbox: the disk does not answer, the newest messages are lost")
        else:
            self._inbox.put(_Put(topic, document))
        self._inbox_full = full

    def note_analysed(self, source: str, until: float) -> None:
        """A source is analysed up to there (unix seconds): where its events end after a crash."""
        if source in self._store.open_sources:
            self._analysed[source] = until

    def connected(self, connection: int, max_packet_bytes: int | None) -> None:
        """See listener.mqtt.messages.DeliveryListener."""
        self._inbox.put(_Connected(connection, max_packet_bytes))

    def answered(self, key: int, refusal: str | None) -> None:
        """See listener.mqtt.messages.DeliveryListener."""
        self._inbox.put(_Answered(key, refusal))

    def lost(self, *, suspect: bool) -> None:
        """See listener.mqtt.messages.DeliveryListener."""
        self._inbox.put(_Lost(suspect))

    def replay(self, from_seq: int, to_seq: int) -> Future[int]:
        """Send finished messages again, both ends included; soon gives their number, or an OutboxError."""
        count: Future[int] = Future()
        self._inbox.put(_Replay(from_seq, to_seq, count))
        return count

    def close(self) -> None:
        """Send what is left if there is a connection, for a second at most; all of it is on disk."""
        self._inbox.put(_Close(time.monotonic() + _CLOSE_SECONDS))
        self._thread.join(2 * _CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._finished:
            with self._barrier:
                self._take_turn()
        with self._barrier:
            self._store.save()
            self._disk.close()

    def _take_turn(self) -> None:
        self._health.beat(self._stage)
        requests = self._receive()
        for request in requests:
            with self._barrier:  # each for itself: the others must not be lost with it
                self._apply(request)
        self._update_once_a_second()
        urgent = any(isinstance(request, _Put | _Lost) for request in requests)
        if urgent or self._answers_are_due:
            self._health.beat(self._stage, _DISK_GRACE_SECONDS)
            self._answered_at = None
            self._store.drop_excess(self._sender.cursor)
            self._store.save(self._sender.cursor)
        self._sender.send_due()
        self._numbers.events = self._store.waiting
        if time.monotonic() - self._deleted_at >= _DELETE_EVERY_SECONDS:
            self._deleted_at = time.monotonic()
            self._store.delete_old()

    @property
    def _finished(self) -> bool:
        if self._close_by is None:
            return False
        done = self._store.waiting == 0 or not self._sender.is_connected
        return done or time.monotonic() > self._close_by

    @property
    def _answers_are_due(self) -> bool:
        at = self._answered_at
        return at is None or time.monotonic() - at >= ACKNOWLEDGED_SECONDS

    def _receive(self) -> list[_Request]:
        """What has come, waited for; all of it goes to the disk in one commit."""
        if self._answered_at is not None or self._close_by is not None:
            seconds = ACKNOWLEDGED_SECONDS
        else:
            idle = _OPEN_SECONDS if self._store.open_sources else _IDLE_SECONDS
            seconds = min(idle, self._sender.wait_seconds)
        try:
            first = self._inbox.get(timeout=seconds)
        except Empty:
            return []
        # this thread alone takes from it
        return [first, *(self._inbox.get_nowait() for _ in range(self._inbox.qsize()))]

    def _apply(self, request: _Request) -> None:
        match request:
            case _Put(topic, document):
                self._store.put(topic, document)
            case _Connected(connection, max_packet_bytes):
                self._sender.connected(connection, max_packet_bytes)
            case _Answered(seq, refusal):
                self._sender.answered(seq, refusal)
                self._answered_at = self._answered_at or time.monotonic()
            case _Lost(suspect):
                self._sender.lost(suspect=suspect)
            case _Replay(from_seq, to_seq, count):
                if not count.set_running_or_notify_cancel():
                    return  # nobody waits for it any more
                if self._store.save():
                    count.set_result(self._store.replay(from_seq, to_seq))
                else:
                    count.set_exception(OutboxError(f"outbox: {self._numbers.failing}"))
            case _Close(deadline):
                self._close_by = deadline

    def _update_once_a_second(self) -> None:
        now = time.monotonic()
        if now - self._updated_at < _NUMBERS_EVERY_SECONDS:
            return
        self._updated_at = now
        analysed, self._analysed = self._analysed, {}
        for source, until in analysed.items():
            self._store.note_analysed(source, until)
        oldest = self._store.first("waiting", 0, 1)
        self._numbers.oldest_at = oldest[0].made_at if oldest else None
