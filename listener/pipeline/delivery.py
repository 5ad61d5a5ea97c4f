"""One thread a sink, each with its own bounded queue: a slow broker cannot delay a clip."""

from __future__ import annotations

import logging
from queue import Empty, Full, Queue

from listener.health import Health
from listener.sinks.sink import Level, Notice, Sink

log = logging.getLogger(__name__)

_CAPACITY = 10_000  # notices
_IDLE_SECONDS = 1.0


class Delivery:
    """Hands notices to one sink, in order."""

    def __init__(self, name: str, sink: Sink, health: Health, *, lossless: bool = False) -> None:
        self.name = name
        self._sink = sink
        self._health = health
        self._lossless = lossless
        self._queue: Queue[Notice | None] = Queue(_CAPACITY)
        self._dropping = False

    @property
    def depth(self) -> int:
        """Notices that wait."""
        return self._queue.qsize()

    def put(self, notice: Notice) -> None:
        """Hand over a notice, if the sink takes its kind. Called by one thread only.

        When the queue is full, a lossless delivery waits; else a level is left out, or the oldest
        notice makes room for another.
        """
        if not isinstance(notice, self._sink.takes):
            return
        try:
            self._queue.put(notice, block=self._lossless)
            self._dropping = False
        except Full:
            self._drop()
            if not isinstance(notice, Level):
                self._make_room()
                self._queue.put_nowait(notice)

    def _drop(self) -> None:
        self._health.sink_drops[self.name] = self._health.sink_drops.get(self.name, 0) + 1
        if not self._dropping:  # once an episode
            log.warning("sink %s: it is too slow, notices are dropped", self.name)
        self._dropping = True

    def _make_room(self) -> None:
        try:
            self._queue.get_nowait()
        except Empty:
            return  # the sink was quicker

    def finish(self) -> None:
        """No more will come: the thread ends after what waits."""
        try:
            self._queue.put(None, timeout=_IDLE_SECONDS)
        except Full:
            log.warning("sink %s: it hangs, %d notices are lost", self.name, self.depth)

    def run(self) -> None:
        """The thread's body."""
        try:
            self._deliver()
        finally:
            self._lossless = False  # nobody empties the queue any more: no put waits for room
            self._make_room()

    def _deliver(self) -> None:
        while True:
            try:
                notice = self._queue.get(timeout=_IDLE_SECONDS)
            except Empty:
                self._health.beat(f"sink:{self.name}")
                continue
            if notice is None:
                break
            self._sink.handle(notice)
            self._health.beat(f"sink:{self.name}")
        self._sink.close()
