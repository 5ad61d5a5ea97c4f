"""The real daemon with one fault in it: `python -m tests.rigs.faulty_daemon CONFIG FAULT`.

`engine`: its scores are no numbers after a few batches. `part`: a part of the main loop fails at each
turn. `waits`: the main thread waits for sixty snapshots one by one, as it once did.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.adapters import open_engine
from listener.build import StationParts, build_station
from listener.config.engine import EngineSettings
from listener.config.load import load_config
from listener.detection.bundle import Bundle
from listener.detection.clip import ClipError
from listener.engines.engine import Engine
from listener.health import Health
from listener.process import set_up_logging
from listener.service import ServiceManager, Signals
from listener.station import Station

_GOOD_BATCHES = 2
_SNAPSHOTS = 60


class UntrustedEngine:
    """Gives numbers a few times."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._left = engine, _GOOD_BATCHES

    def infer(
        self, patches: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores and embeddings, or NaN."""
        self._left -= 1
        scores, embeddings = self._engine.infer(patches)
        return (scores if self._left >= 0 else scores * np.nan), embeddings


class FailingPart:
    """Fails at each turn."""

    def tick(self) -> None:
        """Fail."""
        raise KeyError("a bug of this part")


class WaitingPart:
    """Asks for snapshots, and waits for each."""

    def __init__(self, parts: StationParts) -> None:
        self._pipeline, self._left = parts.pipeline, _SNAPSHOTS

    def tick(self) -> None:
        """Wait until the pipeline has answered all of them."""
        while self._left:
            self._left -= 1
            with suppress(ClipError):
                self._pipeline.snapshot("away", 2.0).result(3.0)


def _open(bundle: Bundle, settings: EngineSettings, health: Health) -> Engine:
    engine = open_engine(bundle, settings, health)
    return UntrustedEngine(engine) if sys.argv[2] == "engine" else engine


def main() -> int:
    """Run the station; its exit code."""
    signals, manager = Signals(), ServiceManager()
    parts = build_station(load_config(Path(sys.argv[1])), _open)
    if sys.argv[2] == "part":
        parts = replace(parts, periodic={"rig": FailingPart(), **parts.periodic})
    if sys.argv[2] == "waits":
        parts = replace(parts, periodic={**parts.periodic, "rig": WaitingPart(parts)})
    with Station(parts) as station:
        manager.ready()
        station.run(signals, manager)
        manager.stopping()
    return station.exit_code


if __name__ == "__main__":
    set_up_logging("info")
    sys.exit(main())
