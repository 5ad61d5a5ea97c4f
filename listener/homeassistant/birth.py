"""Home Assistant's birth message: it has started, and wants to hear of every device once more."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from random import uniform

from listener.mqtt.messages import Incoming

# A house full of devices that all answer at once would drown it
JITTER_SECONDS = 3.0


class BirthWatch:
    """Takes birth messages on the connection's thread, and says on another when to answer."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._births: SimpleQueue[float] = SimpleQueue()
        self._due_at: float | None = None

    def take(self, message: Incoming) -> None:
        """A message on the birth topic, which is also that of its will; on any thread."""
        if message.payload == b"online":
            self._births.put(self._now() + uniform(0.0, JITTER_SECONDS))

    def is_due(self) -> bool:
        """Whether to answer now: once, a moment after the latest birth."""
        for _ in range(self._births.qsize()):
            try:
                self._due_at = self._births.get_nowait()
            except Empty:
                break
        if self._due_at is None or self._now() < self._due_at:
            return False
        self._due_at = None
        return True
