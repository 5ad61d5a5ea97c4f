"""Which engine a station takes under `engine.kind = "auto"`: the fastest on its own bundle, measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from listener.config.engine import EngineKind
from listener.detection.bundle import BundleError
from listener.engines.engine import Engine, EngineError, infer_of

_MEASURE_SECONDS = 1.0  # for all engines together
_LEAST_ROUNDS = 3
_WORTH_A_CHANGE = 1.05  # so much faster must be what takes the place of the first; noise is less


OpenEngine = Callable[[], Engine]
TypicalBatch = Callable[[Engine], NDArray[np.float32]]
"""A batch (B, ...) of what the engine takes: log-mel patches, or windows."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine that was taken, and why, in one line for people."""

    kind: EngineKind | Literal["remote"]
    engine: Engine
    why: str


def fastest_engine(
    openers: Mapping[EngineKind, OpenEngine],
    typical: TypicalBatch,
    now: Callable[[], float] = time.perf_counter,
) -> EngineChoice:
    """The engine that scores its typical batch fastest; the first one if it hardly loses.

    What cannot be opened is left out, with its reason; what is alone is not measured.

    Raises:
        BundleError: none can be opened; the reasons of all.
    """
    engines, refused = _open_all(openers)
    if not engines:
        raise BundleError("; ".join(refused.values()))
    left_out = "".join(f"; {kind} left out: {reason}" for kind, reason in refused.items())
    if len(engines) == 1:
        [(kind, engine)] = engines.items()
        return EngineChoice(kind, engine, f"no other is installed or can run it{left_out}")
    batches = {kind: typical(engine) for kind, engine in engines.items()}
    speeds = _measure(engines, batches, now)
    kind = _take(speeds)
    return EngineChoice(kind, engines[kind], _said(speeds, len(batches[kind])) + left_out)


def _open_all(
    openers: Mapping[EngineKind, OpenEngine],
) -> tuple[dict[EngineKind, Engine], dict[EngineKind, str]]:
    engines: dict[EngineKind, Engine] = {}
    refused: dict[EngineKind, str] = {}
    for kind, open_engine in openers.items():
        try:
            engines[kind] = open_engine()
        except (BundleError, EngineError) as error:
            refused[kind] = " ".join(str(error).split())
    return engines, refused


def _measure(
    engines: Mapping[EngineKind, Engine],
    batches: Mapping[EngineKind, NDArray[np.float32]],
    now: Callable[[], float],
) -> dict[EngineKind, float]:
    """Patches a second of each; they take turns, so that a drift of the machine meets them all."""
    for kind, engine in engines.items():
        infer_of(engine)(batches[kind])  # the first batch of a size is prepared
    seconds: dict[EngineKind, list[float]] = {kind: [] for kind in engines}
    began, rounds = now(), 0
    while rounds < _LEAST_ROUNDS or now() - began < _MEASURE_SECONDS:
        for kind, engine in engines.items():
            before = now()
            infer_of(engine)(batches[kind])
            seconds[kind].append(now() - before)
        rounds += 1
    return {kind: len(batches[kind]) / statistics.median(each) for kind, each in seconds.items()}


def _take(speeds: Mapping[EngineKind, float]) -> EngineKind:
    first = next(iter(speeds))
    fastest = max(speeds, key=lambda kind: speeds[kind])
    return fastest if speeds[fastest] > _WORTH_A_CHANGE * speeds[first] else first


def _said(speeds: Mapping[EngineKind, float], batch: int) -> str:
    each = ", ".join(f"{kind} {speed:.0f}" for kind, speed in speeds.items())
    return f"patches/s in batches of {batch}: {each}"
