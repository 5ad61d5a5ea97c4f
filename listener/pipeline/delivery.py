"""One thread a sink, each with its own bounded queue: a slow broker cannot delay a clip."""

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import nullcontext
from threading import Condition

from listener.faults import FaultBarrier
from listener.health import Health
from listener.sinks.sink import ClipNotice, Level, Notice, Sink

log = logging.getLogger(__name__)

_CAPACITY = 10_000  # notices
_CLIP_CAPACITY = 32  # a clip of half a minute takes two megabytes
_IDLE_SECONDS = 1.0  # how long the thread may wait before it shows that it is alive


class Delivery:
    """Hands notices to one sink, in order.

    When the sink is too slow, a lossless delivery makes the caller wait. Any other drops the oldest level,
    or the oldest notice if there is no level; drops are counted, and logged once an episode.

    A notice at which the sink fails is lost, counted and logged, and the next one is tried. Only a
    lossless delivery, whose caller wants every notice, ends with the sink's error.
    """

    def __init__(self, name: str, sink: Sink, health: Health, *, lossless: bool = False) -> None:
        self.name = name
        self._sink = sink
        self._health = health
        self._lossless = lossless
        self._capacity = _CLIP_CAPACITY if ClipNotice in sink.accepts else _CAPACITY
        self._waiting: deque[Notice] = deque()
        self._changed = Condition()
        self._finished = False
        self._dropping = False
        self._barrier = FaultBarrier(f"sink:{name}", health.faults)
        health.sink_drops[name] = 0

    @property
    def depth(self) -> int:
        """How many notices wait."""
        return len(self._waiting)

    def put(self, notices: Sequence[Notice], *, may_wait: bool = True) -> None:
        """Hand over the notices of the kinds that the sink takes; waits only if it is lossless."""
        wanted = [notice for notice in notices if isinstance(notice, self._sink.accepts)]
        if not wanted:
            return
        with self._changed:
            for notice in wanted:
                if self._lossless and may_wait and self.depth >= self._capacity:
                    self._changed.notify_all()  # the sink's thread may sleep on an empty queue
                    self._changed.wait_for(lambda: self.depth < self._capacity or self._finished)
                self._waiting.append(notice)
                if self.depth > self._capacity and not self._lossless:
                    self._drop_one()
                else:
                    self._dropping = False
            self._changed.notify_all()

    def _drop_one(self) -> None:
        levels = (at for at, notice in enumerate(self._waiting) if isinstance(notice, Level))
        del self._waiting[next(levels, 0)]
        self._health.sink_drops[self.name] += 1
        if not self._dropping:
            log.warning("sink %s: it is too slow, notices are dropped", self.name)
        self._dropping = True

    def finish(self) -> None:
        """No more notices will come: the thread ends after those that wait."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def run(self) -> None:
        """The thread's body."""
        try:
            while (notice := self._next()) is not None:
                with nullcontext() if self._lossless else self._barrier:
                    self._sink.handle(notice)
            with nullcontext() if self._lossless else self._barrier:
                self._sink.close()
        finally:
            self.finish()  # after a failure nobody empties the queue any more: no put may wait

    def _next(self) -> Notice | None:
        """Wait for the oldest notice; None at the end."""
        with self._changed:
            while True:
                self._health.beat(f"sink:{self.name}")
                if self._waiting:
                    self._changed.notify_all()
                    return self._waiting.popleft()
                if self._finished:
                    return None
                self._changed.wait(_IDLE_SECONDS)
