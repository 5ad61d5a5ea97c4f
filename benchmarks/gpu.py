"""`python -m benchmarks.gpu [BUNDLE]`: the TensorFlow engine beside the bare model of the same device.

Patches a second in batches of 64, 256 and 1024, in turns, with ready log-mel, with windows, and from
samples on. Without a GPU it measures the CPU, in smaller batches, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.figures import Aim, Figure
from benchmarks.machine import describe_machine
from benchmarks.materials import find_materials
from benchmarks.tables import as_table
from listener.detection.bundle import Bundle, read_bundle
from listener.detection.features import WindowFrames, contents_of, make_front_end
from listener.engines.saved_model import PATCHES, WINDOWS, SavedModel
from listener.engines.tensorflow import TensorFlowEngine, TensorFlowWindowEngine

_ON_GPU, _ON_CPU = (64, 256, 1024), (16, 64)
_TURN_SECONDS = 0.5
_SHARE = Aim("at least", 0.85)  # of the bare model

Turn = Callable[[], object]  # one batch
Rates = Mapping[str, tuple[float, ...]]  # patches a second, one value a round


def main(
    bundle: Annotated[Path | None, typer.Argument(help="Default: YAMNet's.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="On a CPU.")] = 1,
    compiled: Annotated[bool, typer.Option(help="By XLA, also on a CPU.")] = False,
) -> None:
    """Measure and print one table."""
    opened = read_bundle(bundle or find_materials().bundle)
    model = SavedModel(opened.saved_model_path, threads)
    bench = _Bench(opened, model, True if compiled else None)
    batches = _ON_GPU if model.on_gpu else _ON_CPU
    figures = [figure for batch in batches for figure in bench.measure(batch, rounds)]
    Console(width=140).print(as_table(figures, f"{_device(model)}; {describe_machine()}"))


class _Bench:
    """Engines and bare graphs of one model."""

    def __init__(self, bundle: Bundle, model: SavedModel, compiled: bool | None) -> None:
        self._params, self._model = bundle.manifest.features, model
        largest = max(_ON_GPU)
        self._patches = TensorFlowEngine(model, largest, compiled=compiled)
        self._windows = TensorFlowWindowEngine(model, largest, compiled=compiled)

    def measure(self, batch: int, rounds: int) -> list[Figure]:
        """Rates, and the engine's shares of the faster bare graph."""
        rates = _measure(self._turns(batch), batch, rounds)
        part = f"batch {batch}"
        figures = [Figure(part, what, "patches/s", values) for what, values in rates.items()]
        return figures + [_share(part, name, rates) for name in (PATCHES, WINDOWS)]

    def _turns(self, batch: int) -> dict[str, Turn]:
        params, engines = self._params, (self._patches, self._windows)
        samples = _noise(params.window_samples + (batch - 1) * params.patch_hop_samples)
        here, there = make_front_end(params), WindowFrames(params)
        patches = np.stack(contents_of(samples, params, here))
        windows = np.stack(contents_of(samples, params, there))
        return {
            **self._bare(PATCHES, patches),
            f"engine, {PATCHES}": lambda: engines[0].infer(patches),
            **self._bare(WINDOWS, windows),
            f"engine, {WINDOWS}": lambda: engines[1].infer_windows(windows),
            "from samples, log-mel here": lambda: engines[0].infer(
                np.stack(contents_of(samples, params, here))
            ),
            "from samples, log-mel there": lambda: engines[1].infer_windows(
                np.stack(contents_of(samples, params, there))
            ),
        }

    def _bare(self, name: str, rows: NDArray[np.float32]) -> dict[str, Turn]:
        """The signature with rows that are on the device already, as it is and compiled for just these."""
        tensorflow, signature = self._model.tensorflow, self._model.signature(name)
        with self._model.on_device():
            ready = tensorflow.constant(rows)
        graph = tensorflow.function(lambda it: signature(**{name: it}), jit_compile=True)
        return {
            f"bare, {name}": lambda: _wait(signature(**{name: ready})),
            f"bare, {name}, XLA": lambda: _wait(graph(ready)),
        }


def _wait(outputs: Mapping[str, Any]) -> None:
    outputs["scores"].numpy()  # a GPU has then computed them


def _measure(turns: Mapping[str, Turn], batch: int, rounds: int) -> Rates:
    for turn in turns.values():
        turn()  # the first one compiles
    rates: dict[str, list[float]] = {what: [] for what in turns}
    for _ in range(rounds):
        for what, turn in turns.items():
            rates[what].append(batch * _turns_a_second(turn))
    return {what: tuple(values) for what, values in rates.items()}


def _turns_a_second(turn: Turn) -> float:
    began, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < _TURN_SECONDS:
        turn()
        count += 1
    return count / spent


def _share(part: str, name: str, rates: Rates) -> Figure:
    bare = zip(rates[f"bare, {name}"], rates[f"bare, {name}, XLA"], strict=True)
    values = tuple(
        engine / max(each) for engine, each in zip(rates[f"engine, {name}"], bare, strict=True)
    )
    return Figure(part, f"engine / bare, {name}", "x", values, _SHARE)


def _noise(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0.0, 0.1, count).astype(np.float32)


def _device(model: SavedModel) -> str:
    config = model.tensorflow.config
    if not model.on_gpu:
        return "no GPU: the CPU"
    [gpu, *_] = config.list_physical_devices("GPU")
    return str(config.experimental.get_device_details(gpu)["device_name"])


if __name__ == "__main__":
    typer.run(main)
