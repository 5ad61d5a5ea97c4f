"""`python -m benchmarks.engines [BUNDLE]`: processor time of a patch in every engine, one thread, in turn.

The ratios to LiteRT are of the same round, so that a drift of the machine meets both sides.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.figures import Figure
from benchmarks.machine import describe_machine
from benchmarks.materials import find_materials
from benchmarks.tables import as_table
from listener.adapters import open_engine
from listener.config.engine import EngineKind, EngineSettings
from listener.detection.bundle import Bundle, read_bundle
from listener.engines.engine import Engine

_KINDS: tuple[EngineKind, ...] = ("litert", "openvino", "tensorflow")
_BATCHES = (1, 16)
_PATCHES_A_TURN = 32  # a turn of 20 ms: shorter ones are at the mercy of the caches


def main(
    bundle: Annotated[Path | None, typer.Argument(help="Default: YAMNet's.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Of each engine and batch.")] = 60,
) -> None:
    """Measure the engines and print one table."""
    opened = read_bundle(bundle or find_materials().bundle)
    figures = [
        figure for batch in _BATCHES for figure in _figures(_measure(opened, batch, rounds), batch)
    ]
    Console(width=140).print(as_table(figures, describe_machine()))


def _measure(bundle: Bundle, batch: int, rounds: int) -> dict[EngineKind, list[float]]:
    """Milliseconds a patch, one value a round."""
    kinds = [kind for kind in _KINDS if kind != "tensorflow" or bundle.saved_model_path]
    engines = {
        kind: open_engine(bundle, EngineSettings(kind=kind, max_batch=batch)) for kind in kinds
    }
    patches = np.random.default_rng(0).normal(-3.0, 2.0, (batch, 96, 64)).astype(np.float32)
    for engine in engines.values():
        _spend(engine, patches)
    spent: dict[EngineKind, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, engine in engines.items():
            spent[kind].append(_spend(engine, patches))
    return spent


def _spend(engine: Engine, patches: NDArray[np.float32]) -> float:
    turns = _PATCHES_A_TURN // len(patches)
    began = time.process_time()
    for _ in range(turns):
        engine.infer(patches)
    return (time.process_time() - began) / (turns * len(patches)) * 1e3


def _figures(spent: dict[EngineKind, list[float]], batch: int) -> list[Figure]:
    part = f"batch {batch}"
    ratios = {
        kind: tuple(a / b for a, b in zip(values, spent["litert"], strict=True))
        for kind, values in spent.items()
        if kind != "litert"
    }
    costs = [Figure(part, kind, "ms a patch", tuple(values)) for kind, values in spent.items()]
    return costs + [
        Figure(part, f"{kind} / litert", "x", values) for kind, values in ratios.items()
    ]


if __name__ == "__main__":
    typer.run(main)
