"""`python -m benchmarks.remote [BUNDLE]`: patches a second through a model server, beside the local engine.

The server is MLServer on this machine, the local engine LiteRT with a thread for each core. Both sides
have the same cores, in turns of the same run; on the remote side the stations have to share them, which
`server alone` takes out: it compares the processor time of a patch where scores are computed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.figures import Aim, Figure
from benchmarks.machine import describe_machine
from benchmarks.materials import find_materials
from benchmarks.tables import as_table
from listener.config.engine import RemoteSettings
from listener.detection.bundle import Bundle, read_bundle
from listener.engines.engine import Engine
from listener.engines.litert import LiteRTEngine
from listener.engines.remote.remote_engine import open_remote
from listener.health import RemoteHealth
from tests.rigs.model_server import ModelServer
from trainer.export.model_repository import write_to_repository

_BATCHES = (16, 48)
_PATCHES_A_TURN = 512
_AIM = Aim("at least", 0.8)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn did: patches a second, and the processor time of a patch where scores are computed."""

    patches_per_second: float
    ms_per_patch: float


Side = Callable[[], Turn]


def main(
    bundle: Annotated[Path | None, typer.Argument(help="Default: YAMNet's.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each side.")] = 15,
    stations: Annotated[int, typer.Option(min=1, help="That send at the same time.")] = 4,
) -> None:
    """Measure one server and print one table."""
    opened = read_bundle(bundle or find_materials().bundle)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="remote-") as name:
        repository = Path(name) / "repository"
        write_to_repository(opened, repository)
        with ModelServer(Path(name), repository) as server:
            for batch in _BATCHES:
                figures += _measure(opened, server, batch, rounds, stations)
    Console(width=140).print(as_table(figures, describe_machine()))


def _measure(
    bundle: Bundle, server: ModelServer, batch: int, rounds: int, stations: int
) -> list[Figure]:
    cores = len(psutil.Process().cpu_affinity() or ())
    patches = np.random.default_rng(0).normal(-3.0, 2.0, (batch, 96, 64)).astype(np.float32)
    local = LiteRTEngine(bundle.model_path, threads=cores, max_batch=batch)
    sides: dict[str, Side] = {
        f"LiteRT here, {cores} threads": lambda: _turn([local], patches, psutil.Process()),
        "gRPC, one station": _remote(bundle, server, server.grpc_url, patches, 1),
        f"gRPC, {stations} stations": _remote(bundle, server, server.grpc_url, patches, stations),
        "HTTP (JSON), one station": _remote(bundle, server, server.http_url, patches, 1),
        f"HTTP (JSON), {stations} stations": _remote(
            bundle, server, server.http_url, patches, stations
        ),
    }
    return _figures(f"batch {batch}", _take_turns(sides, rounds))


def _remote(
    bundle: Bundle, server: ModelServer, url: str, patches: NDArray[np.float32], stations: int
) -> Side:
    settings = RemoteSettings(urls=(url,), timeout_seconds=8.0)
    engines = [
        open_remote(bundle, settings, None, RemoteHealth.of(settings.urls)) for _ in range(stations)
    ]
    return lambda: _turn(engines, patches, psutil.Process(server.pid))


def _take_turns(sides: dict[str, Side], rounds: int) -> dict[str, list[Turn]]:
    for side in sides.values():
        side()
    turns: dict[str, list[Turn]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            turns[name].append(side())
    return turns


def _turn(
    engines: Sequence[Engine], patches: NDArray[np.float32], computes: psutil.Process
) -> Turn:
    """All engines together, each on a thread of its own."""
    batches = max(1, _PATCHES_A_TURN // len(patches) // len(engines))
    count = batches * len(engines) * len(patches)
    began, spent = time.perf_counter(), _spent(computes)
    with ThreadPoolExecutor(len(engines)) as pool:
        list(pool.map(lambda engine: _infer(engine, patches, batches), engines))
    wall, spent = time.perf_counter() - began, _spent(computes) - spent
    return Turn(count / wall, 1000 * spent / count)


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _infer(engine: Engine, patches: NDArray[np.float32], batches: int) -> None:
    for _ in range(batches):
        engine.infer(patches)


def _figures(part: str, turns: dict[str, list[Turn]]) -> list[Figure]:
    here = next(iter(turns.values()))
    rates = [
        Figure(part, name, "patches/s", tuple(turn.patches_per_second for turn in each))
        for name, each in turns.items()
    ]
    return rates + [
        figure for name in list(turns)[1:] for figure in _ratios(part, name, turns[name], here)
    ]


def _ratios(part: str, name: str, turns: list[Turn], here: list[Turn]) -> list[Figure]:
    """Of the rates on the same cores; and of processor time, as if stations had cores of their own."""
    pairs = list(zip(turns, here, strict=True))
    rates = tuple(turn.patches_per_second / beside.patches_per_second for turn, beside in pairs)
    costs = tuple(beside.ms_per_patch / turn.ms_per_patch for turn, beside in pairs)
    aim = _AIM if name.startswith("gRPC") else None
    return [
        Figure(part, f"{name} / here", "x", rates, aim),
        Figure(part, f"{name}: server alone / here", "x", costs, aim),
    ]


if __name__ == "__main__":
    typer.run(main)
