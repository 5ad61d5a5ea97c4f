"""Blocks from PortAudio's thread to the reader's."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BLOCKS = 1024  # unread; 10 s and more at the usual block sizes


@dataclass(frozen=True, slots=True)
class Block:
    """PCM float32 (n, channels), its arrival (monotonic seconds), and samples lost before it."""

    pcm: NDArray[np.float32]
    arrived_at: float
    lost: int


class Inbox:
    """Filled by PortAudio's callback, which must never wait; emptied by one reader.

    What does not fit is dropped, counted, and told with the next block that does.
    """

    def __init__(self) -> None:
        self.overflows = 0
        self.ended = False
        self.last_arrival = time.monotonic()
        self._lost = 0
        self._blocks: deque[Block] = deque()
        self._arrived = threading.Event()

    def put(self, pcm: NDArray[np.float32], frames: int, _time: Any, status: Any) -> None:
        """PortAudio's callback; `pcm` is valid during the call only."""
        self.last_arrival = time.monotonic()
        if status.input_overflow:
            self._lost += 1  # PortAudio does not say how many: one makes the hole show
            self.overflows += 1
        if len(self._blocks) >= MAX_BLOCKS:
            self.overflows += 1
            self._lost += frames
            return
        self._blocks.append(Block(pcm.copy(), self.last_arrival, self._lost))
        self._lost = 0
        self._arrived.set()

    def end(self) -> None:
        """PortAudio's callback when the stream has ended; also wakes the reader for good."""
        self.ended = True
        self._arrived.set()

    def wait(self, deadline: float) -> bool:
        """Wait for a block; False if none came before the deadline, monotonic, or none will."""
        if not self._blocks and not self.ended:
            self._arrived.wait(max(0.0, deadline - time.monotonic()))
        return bool(self._blocks)

    def take(self) -> list[Block]:
        """All blocks that have come, oldest first."""
        self._arrived.clear()
        if self.ended:
            self._arrived.set()
        return [self._blocks.popleft() for _ in range(len(self._blocks))]
