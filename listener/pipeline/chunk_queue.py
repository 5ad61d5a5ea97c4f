"""The bounded queue between the captures and the inference, fair between sources."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Condition, Lock

from listener.detection.audio import AudioChunk

_GATHER_STEPS = 4


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """A source's stream ended: at the time of its last sample, and why.

    `reason` is the one of the events that it ends; `detail` is one line for people.
    """

    source: str
    at: float
    reason: str
    detail: str | None = None


Item = AudioChunk | StreamEnd


class ChunkQueue:
    """Chunks, each of one patch, and stream ends of all sources, in order within a source.

    Each source may have `capacity` chunks waiting. Then either the older half of them is dropped, one
    hole and not one after every other chunk, or its capture waits (lossless). A getter takes one item
    of each source in turn, so that none is starved.
    """

    def __init__(self, sources: Iterable[str], capacity: int) -> None:
        self._waiting: dict[str, deque[Item]] = {source: deque() for source in sources}
        self._turns: deque[str] = deque()  # the sources with something waiting, next one first
        self.capacity = capacity  # one reference: any thread may set it
        lock = Lock()
        self._arrived = Condition(lock)
        self._room = Condition(lock)
        self._count = 0
        self._wanted = 1  # how many items the getter waits for; fewer need not wake it
        self._closed = False

    def __len__(self) -> int:
        return self._count

    @property
    def closed(self) -> bool:
        """No more will come."""
        return self._closed

    def put(self, item: Item, *, lossless: bool = False) -> int:
        """Add an item; how many chunks of the source were dropped for it.

        With `lossless`, waits for room instead, until the queue is closed.
        """
        with self._arrived:
            waiting = self._waiting[item.source]
            if lossless:
                self._room.wait_for(lambda: len(waiting) < self.capacity or self._closed)
            if not waiting:
                self._turns.append(item.source)
            waiting.append(item)
            self._count += 1
            dropped = self._drop_older_half(waiting) if self._overflows(waiting) else 0
            if self._count >= self._wanted:
                self._arrived.notify()
            return dropped

    def _overflows(self, waiting: deque[Item]) -> bool:
        if len(waiting) <= self.capacity:
            return False
        return sum(isinstance(item, AudioChunk) for item in waiting) > self.capacity

    def _drop_older_half(self, waiting: deque[Item]) -> int:
        dropped = (self.capacity + 1) // 2
        self._count -= dropped
        ends: list[Item] = []
        left = dropped
        while left:
            item = waiting.popleft()
            if isinstance(item, StreamEnd):
                ends.append(item)  # kept: without it an event would never end
            else:
                left -= 1
        waiting.extendleft(reversed(ends))
        return dropped

    def get(self, max_items: int, max_wait_seconds: float, idle_seconds: float) -> list[Item]:
        """Up to `max_items`, gathered for at most `max_wait_seconds` after the first one.

        It goes on while more come: a quarter of that time without one ends it, and so does one of each
        source. Empty when nothing came for `idle_seconds`, or when the queue is closed and empty.
        """
        with self._arrived:
            if self._await_count(1, idle_seconds):
                self._gather(min(max_items, len(self._waiting)), max_wait_seconds)
            items = self._take(max_items)
            self._room.notify_all()
            return items

    def _gather(self, count: int, seconds: float) -> None:
        before = 0
        for _ in range(_GATHER_STEPS):
            if self._count >= count or self._count == before:
                return
            before = self._count
            self._await_count(count, seconds / _GATHER_STEPS)

    def _await_count(self, count: int, seconds: float) -> bool:
        self._wanted = count
        deadline = time.monotonic() + seconds
        while self._count < count and not self._closed:
            left = deadline - time.monotonic()
            if left <= 0 or not self._arrived.wait(left):
                break
        return self._count > 0

    def _take(self, max_items: int) -> list[Item]:
        items: list[Item] = []
        while self._turns and len(items) < max_items:
            source = self._turns.popleft()
            waiting = self._waiting[source]
            items.append(waiting.popleft())
            if waiting:
                self._turns.append(source)
        self._count -= len(items)
        return items

    def close(self) -> None:
        """No more will come: what waits is handed out without delay."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()
            self._room.notify_all()
