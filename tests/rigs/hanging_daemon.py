"""The real daemon, but its engine never answers again after a few batches.

`python -m tests.rigs.hanging_daemon CONFIG [--bare-timer]`. With the timer a thread of its own feeds the
watchdog, whatever the stages do, as many a program does.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.adapters import open_engine
from listener.config.engine import EngineSettings
from listener.config.load import load_config
from listener.detection.bundle import Bundle
from listener.engines.engine import Engine
from listener.health import Health
from listener.process import set_up_logging
from listener.service import ServiceManager
from listener.station import run_daemon

_GOOD_BATCHES = 2


class HangingEngine:
    """Answers a few times."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._left = engine, _GOOD_BATCHES

    def infer(
        self, patches: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores and embeddings, or nothing for ever."""
        self._left -= 1
        if self._left < 0:
            threading.Event().wait()
        return self._engine.infer(patches)


def _open(bundle: Bundle, settings: EngineSettings, health: Health) -> Engine:
    return HangingEngine(open_engine(bundle, settings, health))


def _feed_by_the_clock() -> None:
    manager, tick = ServiceManager(), threading.Event()
    while not tick.wait((manager.watchdog_seconds or 0.0) / 4):
        manager.alive()


if __name__ == "__main__":
    set_up_logging("info")
    if "--bare-timer" in sys.argv:
        threading.Thread(target=_feed_by_the_clock, daemon=True).start()
    sys.exit(run_daemon(load_config(Path(sys.argv[1])), _open))
