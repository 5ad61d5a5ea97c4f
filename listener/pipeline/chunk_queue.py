"""The bounded queues between the captures and the inference, one a source and fair between them."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Condition, Event, Lock

from listener.detection import audio, framing
from listener.detection.params import FeatureParams

_GATHER_STEPS = 4


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """A source's stream ended: at the time of its last sample, and why.

    `reason` is that of the events which it ends; `detail` is one line for people.
    """

    source: str
    at: float
    reason: str
    detail: str | None = None


Item = audio.AudioChunk | StreamEnd


class _Lane:
    """The items of one source that wait; only its capture and the getter share `lock`."""

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.lock = Lock()
        self.has_space = Condition(self.lock)

    def drop_older_half(self, capacity: int) -> int:
        """Drop half of the chunks if more than `capacity` wait; how many were dropped.

        This leaves one hole, and not one after every other chunk.
        """
        if len(self.items) <= capacity:  # nearly always
            return 0
        if sum(isinstance(item, audio.AudioChunk) for item in self.items) <= capacity:
            return 0
        left = dropped = (capacity + 1) // 2
        ends: list[Item] = []
        while left:
            item = self.items.popleft()
            if isinstance(item, StreamEnd):
                ends.append(item)  # kept: without it an event would never end
            else:
                left -= 1
        self.items.extendleft(reversed(ends))
        return dropped


class ChunkQueue:
    """Chunks, each of one patch, and stream ends of all sources, in order within a source.

    Each source may have `capacity` chunks waiting. Then either the older half of them is dropped, or its
    capture waits (lossless). The getter takes one item of each source in turn, so that none is starved.
    Sources share no lock, only a deque, whose appends need none, and a flag, which one of them raises when
    as many sources have something as the getter waits for.

    `grids` has each source's patches as the getter cuts them. The getter replaces a value, and the source's
    capture reads it before each read: one reference, no lock.
    """

    def __init__(
        self, sources: Iterable[str], capacity: int, params: FeatureParams | None = None
    ) -> None:
        self._lanes = {source: _Lane() for source in sources}
        self._turns: deque[str] = deque()  # each source with something waiting once, next one first
        self.grids = dict.fromkeys(self._lanes, framing.PatchGrid(params or FeatureParams()))
        self.capacity = capacity  # one reference: any thread may set it
        self._arrived = Event()
        self._wanted = 1  # how many turns the getter waits for; fewer need not wake it
        self._closed = False

    def __len__(self) -> int:
        return sum(len(lane.items) for lane in self._lanes.values())

    @property
    def closed(self) -> bool:
        """No more items will come."""
        return self._closed

    def put(self, item: Item, *, lossless: bool = False) -> int:
        """Add an item; how many chunks of the source were dropped for it.

        With `lossless`, waits for space instead, until the queue is closed.
        """
        lane = self._lanes[item.source]
        with lane.lock:
            if lossless:
                lane.has_space.wait_for(lambda: len(lane.items) < self.capacity or self._closed)
            lane.items.append(item)
            first = len(lane.items) == 1
            dropped = lane.drop_older_half(self.capacity)
        if first:
            self._turns.append(item.source)
            if len(self._turns) >= self._wanted and not self._arrived.is_set():
                self._arrived.set()
        return dropped

    def get(self, max_items: int, max_wait_seconds: float, idle_seconds: float) -> list[Item]:
        """Up to `max_items`, gathered for at most `max_wait_seconds` after the first one.

        It goes on while more come: a quarter of that time without one ends it, and so does one of each
        source. Empty if nothing came for `idle_seconds`, or if the queue is closed and empty.
        """
        if self._await_turns(1, idle_seconds):
            self._gather(min(max_items, len(self._lanes)), max_wait_seconds)
        items: list[Item] = []
        while self._turns and len(items) < max_items:
            source = self._turns.popleft()
            lane = self._lanes[source]
            with lane.lock:
                items.append(lane.items.popleft())
                more = bool(lane.items)
                lane.has_space.notify()
            if more:
                self._turns.append(source)
        return items

    def _gather(self, count: int, seconds: float) -> None:
        before = 0
        for _ in range(_GATHER_STEPS):
            if len(self._turns) >= count or len(self._turns) == before:
                return
            before = len(self._turns)
            self._await_turns(count, seconds / _GATHER_STEPS)

    def _await_turns(self, count: int, seconds: float) -> bool:
        """Wait for so many turns; whether there is any in the end."""
        self._wanted = count
        deadline = time.monotonic() + seconds
        while True:
            self._arrived.clear()  # before the check: what comes after it raises the flag again
            left = deadline - time.monotonic()
            if len(self._turns) >= count or self._closed or left <= 0:
                return bool(self._turns)
            self._arrived.wait(left)

    def close(self) -> None:
        """No more items will come: what waits is handed out without delay."""
        self._closed = True
        self._arrived.set()
        for lane in self._lanes.values():
            with lane.lock:
                lane.has_space.notify_all()
