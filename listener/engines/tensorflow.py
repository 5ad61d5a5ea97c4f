"""TensorFlow on a GPU or CPU, for large batches; where it is wanted the log-mel is made there, too."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.config.engine import FrontEndPlace
from listener.engines.engine import Engine, EngineError, Outputs
from listener.engines.graphs import CompiledGraphs, Graphs, PlainGraph
from listener.engines.saved_model import PATCHES, WINDOWS, SavedModel

log = logging.getLogger(__name__)


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
