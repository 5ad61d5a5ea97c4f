"""TensorFlow on a GPU or CPU, for large batches; it can compute the log-mel there, too."""

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
    256  # keeps a GPU busy; a larger batch is split, and one part is copied while another runs
)
# Nothing feeds the watchdog during a bundle change: its 30 s must cover this and one graph more.
_COMPILE_SECONDS = 10.0

Rows = NDArray[np.float32]  # (B, ...): the input of a signature


def open_tensorflow(
    path: Path | None, threads: int, max_batch: int, front_end: FrontEndPlace
) -> Engine:
    """The engine, with its log-mel where `front_end` says; `auto` means on the GPU if there is one.

    A bundle of an older version cannot do that: its log-mel stays on the CPU, which is logged.

    Raises:
        EngineError: TensorFlow is not installed.
        BundleError: the bundle has no SavedModel (`path` is None), or one that cannot be used.
    """
    model = SavedModel(path, threads)
    on_device = front_end == "device" or (front_end == "auto" and model.on_gpu)
    if on_device and not model.has(WINDOWS):
        log.warning("%s: older than log-mel on the device, which stays on the CPU", model.path)
        on_device = False
    kind = TensorFlowWindowEngine if on_device else TensorFlowEngine
    return kind(model, max_batch)


class TensorFlowEngine:
    """A bundle's `saved_model/`; an `Engine`.

    `compiled`: whether XLA compiles it for a few batch sizes; None: if there is a GPU.

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
    """The same with the log-mel on its device; a `WindowEngine`. It also takes patches, not compiled.

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


class Graphs(Protocol):
    """A signature that can run."""

    def run(self, rows: Rows) -> Outputs:
        """float32 (B, ...), B >= 1 -> scores (B, K), embeddings (B, D)."""
        ...


def _open(model: SavedModel, name: str, max_batch: int, compiled: bool | None) -> Graphs:
    if not (model.on_gpu if compiled is None else compiled):
        return PlainGraph(model, name)
    try:
        return CompiledGraphs(model, name, max_batch)
    except EngineError as error:  # for instance, CUDA is only installed in part
        log.warning("%s; it runs uncompiled, more slowly", error)
        return PlainGraph(model, name)


class PlainGraph:
    """The signature as it is, for batches of any size.

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
    """The signature compiled by XLA for a few batch sizes, before its first batch.

    The largest size is compiled first, smaller ones while there is time: rows without a graph of their
    size run in the next larger one, padded.

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
        largest, *smaller = reversed(graph_sizes(max_batch))
        began = now()
        self._graphs = {largest: self._compile(largest)}
        for size in smaller:
            if now() - began < _COMPILE_SECONDS:
                self._graphs[size] = self._compile(size)
        log.info("%s: %s compiled for batches of %s", model.path, name, list(self._graphs))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The batch sizes of the graphs, in ascending order."""
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
        parts = list(split_batch(len(rows), self.sizes))
        started = []
        with self._model.on_device():
            # a GPU computes one part while the next is copied to it; only reading waits
            for part in parts:
                padded = rows[part.start : part.stop]
                if len(padded) < part.size:
                    padded = np.zeros((part.size, *rows.shape[1:]), np.float32)
                    padded[: part.stop - part.start] = rows[part.start : part.stop]
                started.append(self._graphs[part.size](self._model.copy(padded)))
        return _read(started, parts, "scores"), _read(started, parts, "embeddings")


def _read(outputs: list[Any], parts: list[Part], name: str) -> NDArray[np.float32]:
    arrays = [
        each[name].numpy()[: part.stop - part.start]
        for each, part in zip(outputs, parts, strict=True)
    ]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows `start` to `stop` of a batch, padded to the graph of `size` rows."""

    start: int
    stop: int
    size: int


def graph_sizes(max_batch: int) -> tuple[int, ...]:
    """The batch sizes of graphs, powers of 4: 20 -> (16, 64), 4096 -> (16, 64, 256)."""
    sizes = [_SMALLEST]
    while sizes[-1] < min(max_batch, _LARGEST):
        sizes.append(sizes[-1] * _STEP)
    return tuple(sizes)


def split_batch(count: int, sizes: Sequence[int]) -> Iterator[Part]:
    """`count` rows as full parts of the largest size, the rest in the smallest size that holds it.

    `sizes` are in ascending order.
    """
    largest = sizes[-1]
    for start in range(0, count, largest):
        rows = min(largest, count - start)
        size = next(size for size in sizes if size >= rows)
        yield Part(start, start + rows, size)
