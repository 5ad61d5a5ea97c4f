"""The outbox: messages go to the disk, and from there to the broker, in order, until it has them."""

from __future__ import annotations

import logging
import math
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from listener.health import Health
from listener.mqtt.messages import Transport
from listener.outbox.disk import Disk, OutboxError
from listener.outbox.sender import DOUBTFUL_SECONDS, OutboxSender
from listener.outbox.store import Bounds, Store

log = logging.getLogger(__name__)

ACKNOWLEDGED_SECONDS = (
    0.05  # so long may an acknowledgement wait for others before it is written down
)
_IDLE_SECONDS = 1.0
_OPEN_SECONDS = 0.5  # while an event lasts: how far it is analysed is written down
_LOOK_EVERY_SECONDS = 1.0
_INBOX_LIMIT = 10_000  # while the disk does not come back from a write
_DISK_GRACE_SECONDS = 60.0  # a worn card may take so long, and to be killed would not help it
_FORGET_EVERY_SECONDS = 60.0
_REPLAY_SECONDS = 3.0
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


_Post = _Put | _Connected | _Answered | _Lost | _Replay | _Close


class Outbox:
    """A durable queue with one thread, which alone touches the store and decides what is sent.

    Every method only puts into a queue, but replay(), which waits for its answer; of the store other
    threads look at one reference, `open_sources`. `path` None keeps the messages in memory. Events that
    a crash left open are ended on opening. `stage` is what its thread and its numbers are called.
    What was acknowledged in the last `doubtful_seconds` before a connection broke is sent again.

    Raises:
        OutboxError: another process uses the file.
    """

    def __init__(
        self,
        path: Path | None,
        bounds: Bounds,
        station: str,
        gap_topic: str,
        carrier: Transport,
        health: Health,
        stage: str = "outbox",
        doubtful_seconds: float = DOUBTFUL_SECONDS,
    ) -> None:
        self._health, self._stage = health, stage
        self._numbers = health.add_outbox(stage)
        self._disk = Disk(path, self._numbers)
        self._store = Store(self._disk, bounds, station, gap_topic, self._numbers)
        self._numbers.events = self._store.waiting
        self._sender = OutboxSender(self._store, carrier, doubtful_seconds=doubtful_seconds)
        self._inbox: SimpleQueue[_Post] = SimpleQueue()
        self._analysed: dict[str, float] = {}  # since it was last looked at; replaced as a whole
        self._looked_at = -math.inf
        self._crowded = False
        self._close_by: float | None = None
        self._answered_at: float | None = None  # the first that is not written down
        self._forgot_at = -_FORGET_EVERY_SECONDS
        self._thread = Thread(target=self._run, name=stage, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def put(self, topic: str, document: dict[str, Any]) -> None:
        """Send a document, with the next `seq` in it, as soon as it is on disk and there is a broker."""
        crowded = self._inbox.qsize() >= _INBOX_LIMIT
        if crowded:
            self._numbers.dropped += 1
            if not self._crowded:
                log.error("outbox: the disk does not answer, the newest messages are lost")
        else:
            self._inbox.put(_Put(topic, document))
        self._crowded = crowded

    def note_analysed(self, source: str, until: float) -> None:
        """A source is analysed up to there (unix seconds): where its events end after a crash."""
        if source in self._store.open_sources:
            self._analysed[source] = until

    def connected(self, connection: int, max_packet_bytes: int | None) -> None:
        """See listener.mqtt.messages.Sender."""
        self._inbox.put(_Connected(connection, max_packet_bytes))

    def answered(self, key: int, refusal: str | None) -> None:
        """See listener.mqtt.messages.Sender."""
        self._inbox.put(_Answered(key, refusal))

    def lost(self, *, suspect: bool) -> None:
        """See listener.mqtt.messages.Sender."""
        self._inbox.put(_Lost(suspect))

    def replay(self, from_seq: int, to_seq: int) -> int:
        """Send messages again that are done with, both ends included; how many they are.

        Raises:
            OutboxError: the disk does not answer in time, or cannot be used.
        """
        count: Future[int] = Future()
        self._inbox.put(_Replay(from_seq, to_seq, count))
        try:
            return count.result(_REPLAY_SECONDS)
        except TimeoutError as error:
            raise OutboxError("outbox: the disk has not answered in time") from error

    def close(self) -> None:
        """Send what is left if there is a connection, for a second at most; all of it is on disk."""
        self._inbox.put(_Close(time.monotonic() + _CLOSE_SECONDS))
        self._thread.join(2 * _CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._finished:
            self._health.beat(self._stage)
            urgent = self._take(self._next_posts())
            self._look_around()
            if urgent or self._due:
                self._save()
            self._sender.work()
            self._tidy()
        self._store.save()
        self._disk.close()

    @property
    def _finished(self) -> bool:
        if self._close_by is None:
            return False
        done = self._store.waiting == 0 or not self._sender.is_connected
        return done or time.monotonic() > self._close_by

    def _next_posts(self) -> list[_Post]:
        """What has come, waited for; all of it goes to the disk in one commit."""
        posts: list[_Post] = []
        try:
            posts.append(self._inbox.get(timeout=self._pause))
            for _ in range(self._inbox.qsize()):
                posts.append(self._inbox.get_nowait())  # noqa: PERF401 - what came is kept on Empty
        except Empty:
            pass
        return posts

    @property
    def _pause(self) -> float:
        if self._answered_at is not None or self._close_by is not None:
            return ACKNOWLEDGED_SECONDS
        idle = _OPEN_SECONDS if self._store.open_sources else _IDLE_SECONDS
        return min(idle, self._sender.wait_seconds)

    def _take(self, posts: list[_Post]) -> bool:
        """Whether it must be on disk at once."""
        for post in posts:
            self._deal_with(post)
        return any(isinstance(post, _Put | _Lost) for post in posts)

    def _deal_with(self, post: _Post) -> None:
        match post:
            case _Put():
                self._store.put(post.topic, post.document)
            case _Connected():
                self._sender.connected(post.connection, post.max_packet_bytes)
            case _Answered():
                self._sender.answered(post.seq, post.refusal)
                self._answered_at = self._answered_at or time.monotonic()
            case _Lost():
                self._sender.lost(suspect=post.suspect)
            case _Replay():
                self._replay(post)
            case _Close():
                self._close_by = post.deadline

    def _replay(self, post: _Replay) -> None:
        if self._store.save():
            post.count.set_result(self._store.ask_again(post.from_seq, post.to_seq))
        else:
            post.count.set_exception(OutboxError(f"outbox: {self._numbers.failing}"))

    @property
    def _due(self) -> bool:
        at = self._answered_at
        return at is None or time.monotonic() - at >= ACKNOWLEDGED_SECONDS

    def _save(self) -> None:
        self._health.beat(self._stage, _DISK_GRACE_SECONDS)
        self._answered_at = None
        self._store.bound(self._sender.cursor)
        self._store.save(self._sender.cursor)

    def _look_around(self) -> None:
        """What is not worth a look for each message: once a second."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_EVERY_SECONDS:
            return
        self._looked_at = now
        analysed, self._analysed = self._analysed, {}
        for source, until in analysed.items():
            self._store.note_analysed(source, until)
        oldest = self._store.first("waiting", 0, 1)
        self._numbers.oldest_at = oldest[0].made_at if oldest else None

    def _tidy(self) -> None:
        self._numbers.events = self._store.waiting
        if time.monotonic() - self._forgot_at >= _FORGET_EVERY_SECONDS:
            self._forgot_at = time.monotonic()
            self._store.forget()
