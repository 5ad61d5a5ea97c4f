"""TensorFlow on a GPU or CPU, for large batches; where it is wanted the log-mel is made there, too."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from listener.config.engine import FrontEndPlace
from listener.engines.engine import Engine, EngineError, Outputs
from listener.engines.saved_model import PATCHES, WINDOWS, SavedModel

log = logging.getLogger(__name__)

_SMALLEST = 16  # a GPU takes as long for one patch
_STEP = 4
_LARGEST = (
    256  # keeps a GPU busy; a larger batch goes in parts, each copied while the one before runs
)
# Nothing feeds the watchdog while a bundle is changed: its 30 s are for these and one graph more.
_COMPILE_SECONDS = 10.0


# How a batch of any size runs on graphs that were compiled for a few: in parts, the last one padded.


@dataclass(frozen=True, slots=True)
class Part:
    """Rows `start` to `stop` of a batch, for the graph of `size` rows; what is missing is padding."""

    start: int
    stop: int
    size: int


def ladder(max_batch: int) -> tuple[int, ...]:
    """The sizes that graphs are compiled for, powers of 4: 20 -> (16, 64), 4096 -> (16, 64, 256)."""
    sizes = [_SMALLEST]
    while sizes[-1] < min(max_batch, _LARGEST):
        sizes.append(sizes[-1] * _STEP)
    return tuple(sizes)


def split(count: int, sizes: Sequence[int]) -> Iterator[Part]:
    """`count` rows as whole parts of the largest size and one of the smallest that holds the rest.

    `sizes` are in ascending order.
    """
    largest = sizes[-1]
    for start in range(0, count, largest):
        rows = min(largest, count - start)
        size = next(size for size in sizes if size >= rows)
        yield Part(start, start + rows, size)


# A signature of a SavedModel at work: as it is, or compiled by XLA for a few sizes of batches.


Rows = NDArray[np.float32]  # (B, ...): what the signature takes


class Graphs(Protocol):
    """What an engine runs."""

    def run(self, rows: Rows) -> Outputs:
        """float32 (B, ...), B >= 1 -> scores (B, K), embeddings (B, D)."""
        ...


class PlainGraph:
    """The signature as it is; it takes batches as they come.

    Raises:
        BundleError: the SavedModel has no such signature.
    """

    def __init__(self, model: SavedModel, name: str) -> None:
        self._model, self._name = model, name
        self._graph = model.signature(name)

    def run(self, rows: Rows) -> Outputs:
        """float32 (B, ...) -> scores (B, K), embeddings (B, D)."""
        with self._model.on_device():
            outputs = self._graph(**{self._name: self._model.copy(rows)})
        return outputs["scores"].numpy(), outputs["embeddings"].numpy()


class CompiledGraphs:
    """The signature compiled for the sizes of a ladder, each before its first batch.

    The largest size comes first, smaller ones while there is time: rows without a graph of their size run
    in the next larger one, padded.

    Raises:
        BundleError: the SavedModel has no such signature.
        EngineError: XLA cannot compile it, or lacks something.
    """

    def __init__(
        self,
        model: SavedModel,
        name: str,
        max_batch: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._name = model, name
        self._signature = model.signature(name)
        largest, *smaller = reversed(ladder(max_batch))
        began = now()
        self._graphs = {largest: self._compile(largest)}
        for size in smaller:
            if now() - began < _COMPILE_SECONDS:
                self._graphs[size] = self._compile(size)
        log.info("%s: %s compiled for batches of %s", model.path, name, list(self._graphs))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows of the graphs, in ascending order."""
        return tuple(sorted(self._graphs))

    def _compile(self, size: int) -> Any:
        tensorflow, signature, name = self._model.tensorflow, self._signature, self._name
        spec = signature.structured_input_signature[1][name]
        shape = (size, *spec.shape[1:])
        graph = tensorflow.function(
            lambda rows: signature(**{name: rows}), jit_compile=True, autograph=False
        ).get_concrete_function(tensorflow.TensorSpec(shape, spec.dtype))
        try:
            with self._model.on_device():
                graph(tensorflow.zeros(shape, spec.dtype))  # XLA compiles at the first call
        except tensorflow.errors.OpError as error:
            reason, *_ = error.message.splitlines()
            raise EngineError(f"{self._model.path}: XLA cannot compile {name}: {reason}") from error
        return graph

    def run(self, rows: Rows) -> Outputs:
        """float32 (B, ...) -> scores (B, K), embeddings (B, D)."""
        parts = list(split(len(rows), self.sizes))
        with self._model.on_device():
            # a GPU computes one part while the next is copied to it; only reading waits
            begun = [self._begin(rows, part) for part in parts]
        return _read(begun, parts, "scores"), _read(begun, parts, "embeddings")

    def _begin(self, rows: Rows, part: Part) -> Any:
        padded = _padded(rows[part.start : part.stop], part.size)
        return self._graphs[part.size](self._model.copy(padded))


def _padded(rows: Rows, size: int) -> Rows:
    if len(rows) == size:
        return rows
    padded = np.zeros((size, *rows.shape[1:]), np.float32)
    padded[: len(rows)] = rows
    return padded


def _read(outputs: list[Any], parts: list[Part], name: str) -> NDArray[np.float32]:
    found = [
        each[name].numpy()[: part.stop - part.start]
        for each, part in zip(outputs, parts, strict=True)
    ]
    return found[0] if len(found) == 1 else np.concatenate(found)


class TensorFlowEngine:
    """A bundle's `saved_model/`; an `Engine`.

    `compiled`: whether XLA compiles it for a few sizes of batches; None: where there is a GPU.

    Raises:
        BundleError: the SavedModel has no signature `patches`.
    """

    def __init__(
        self, model: SavedModel, max_batch: int = 16, *, compiled: bool | None = None
    ) -> None:
        self._patches = _open(model, PATCHES, max_batch, compiled)

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """Log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, D); see `Engine`."""
        return self._patches.run(patches)


class TensorFlowWindowEngine:
    """The same with the log-mel on its device; a `WindowEngine`. Ready patches it takes, too, not compiled.

    Raises:
        BundleError: as `TensorFlowEngine`; also without the signature `windows`.
    """

    def __init__(
        self, model: SavedModel, max_batch: int = 16, *, compiled: bool | None = None
    ) -> None:
        self._patches = PlainGraph(model, PATCHES)
        self._windows = _open(model, WINDOWS, max_batch, compiled)

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """Log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, D); see `Engine`."""
        return self._patches.run(patches)

    def infer_windows(self, windows: NDArray[np.float32]) -> Outputs:
        """Windows (B, 15600) -> scores (B, K), embeddings (B, D); see `WindowEngine`."""
        return self._windows.run(windows)


def _open(model: SavedModel, name: str, max_batch: int, compiled: bool | None) -> Graphs:
    if not (model.on_gpu if compiled is None else compiled):
        return PlainGraph(model, name)
    try:
        return CompiledGraphs(model, name, max_batch)
    except EngineError as error:  # such as an installation of CUDA that is not whole
        log.warning("%s; it runs as it is, more slowly", error)
        return PlainGraph(model, name)


def open_tensorflow(
    path: Path | None, threads: int, max_batch: int, front_end: FrontEndPlace
) -> Engine:
    """The engine with its log-mel where it is wanted; under `auto` on the GPU, if there is one.

    A bundle of an older version cannot do that: its log-mel stays on the CPU, which is logged.

    Raises:
        EngineError: TensorFlow is not installed.
        BundleError: the bundle has no SavedModel (`path` is None), or one that cannot be used.
    """
    model = SavedModel(path, threads)
    wanted = front_end == "device" or (front_end == "auto" and model.on_gpu)
    if wanted and not model.has(WINDOWS):
        log.warning("%s: made before log-mel on the device: it stays on the CPU", model.path)
        wanted = False
    kind = TensorFlowWindowEngine if wanted else TensorFlowEngine
    return kind(model, max_batch)
