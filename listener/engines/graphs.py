"""A signature of a SavedModel at work: as it is, or compiled by XLA for a few sizes of batches."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from listener.engines.engine import EngineError, Outputs
from listener.engines.ladder import Part, ladder, split
from listener.engines.saved_model import SavedModel

log = logging.getLogger(__name__)

# Nothing feeds the watchdog while a bundle is changed: its 30 s are for these and one graph more.
_COMPILE_SECONDS = 10.0

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
