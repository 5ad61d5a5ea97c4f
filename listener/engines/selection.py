"""The engine that a station uses under `engine.kind = "auto"`: the fastest on its bundle, measured."""

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
_WORTH_A_CHANGE = 1.05  # another engine replaces the first if it is this much faster; noise is less

OpenEngine = Callable[[], Engine]
TypicalBatch = Callable[[Engine], NDArray[np.float32]]
"""A batch (B, ...) of the engine's input: log-mel patches, or windows."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The chosen engine, and why in one line for people."""

    kind: EngineKind | Literal["remote"]
    engine: Engine
    why: str


def fastest_engine(
    openers: Mapping[EngineKind, OpenEngine],
    typical: TypicalBatch,
    now: Callable[[], float] = time.perf_counter,
) -> EngineChoice:
    """The engine that scores its typical batch fastest; the first one unless another is clearly faster.

    An engine that cannot be opened is left out, with its reason; a single one is not measured.

    Raises:
        BundleError: none can be opened; the reasons of all.
    """
    engines: dict[EngineKind, Engine] = {}
    refused: dict[EngineKind, str] = {}
    for kind, open_engine in openers.items():
        try:
            engines[kind] = open_engine()
        except (BundleError, EngineError) as error:
            refused[kind] = " ".join(str(error).split())
    if not engines:
        raise BundleError("; ".join(refused.values()))
    left_out = "".join(f"; {kind} left out: {reason}" for kind, reason in refused.items())
    first = next(iter(engines))
    if len(engines) == 1:
        return EngineChoice(first, engines[first], f"no other is installed or can run it{left_out}")
    batches = {kind: typical(engine) for kind, engine in engines.items()}
    speeds = _measure(engines, batches, now)
    fastest = max(speeds, key=lambda kind: speeds[kind])
    kind = fastest if speeds[fastest] > _WORTH_A_CHANGE * speeds[first] else first
    each = ", ".join(f"{kind} {speed:.0f}" for kind, speed in speeds.items())
    why = f"patches/s in batches of {len(batches[kind])}: {each}{left_out}"
    return EngineChoice(kind, engines[kind], why)


def _measure(
    engines: Mapping[EngineKind, Engine],
    batches: Mapping[EngineKind, NDArray[np.float32]],
    now: Callable[[], float],
) -> dict[EngineKind, float]:
    """Patches a second of each; they take turns, so that a drift of the machine affects all."""
    for kind, engine in engines.items():
        infer_of(engine)(batches[kind])  # engines prepare for a batch size at its first batch
    seconds: dict[EngineKind, list[float]] = {kind: [] for kind in engines}
    began, rounds = now(), 0
    while rounds < _LEAST_ROUNDS or now() - began < _MEASURE_SECONDS:
        for kind, engine in engines.items():
            before = now()
            infer_of(engine)(batches[kind])
            seconds[kind].append(now() - before)
        rounds += 1
    return {kind: len(batches[kind]) / statistics.median(each) for kind, each in seconds.items()}
