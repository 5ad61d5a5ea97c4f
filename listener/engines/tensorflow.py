"""TensorFlow on a GPU or CPU, for large batches. The only file of the listener that imports it."""

from __future__ import annotations

import importlib
import logging
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import BundleError
from listener.engines.engine import EngineError

log = logging.getLogger(__name__)

SIGNATURE = "patches"
_OUTPUTS = {"scores", "embeddings"}


class TensorFlowEngine:
    """A bundle's `saved_model/`; an `Engine`. `path` is None for a bundle that has none.

    TensorFlow is imported when the first engine is built, and its threads can be set only then.

    Raises:
        EngineError: TensorFlow is not installed.
        BundleError: the bundle has no SavedModel, or one without the signature `patches`.
    """

    def __init__(self, path: Path | None, threads: int = 1) -> None:
        if path is None:
            raise BundleError(
                "the TensorFlow engine: expected saved_model/ in the bundle, found none"
            )
        tensorflow = _import_tensorflow()
        _prepare(tensorflow, threads)
        self._model = _load(tensorflow, path)  # the signature holds its variables only weakly
        self._infer = _signature(path, self._model)
        self._constant = tensorflow.constant

    def infer(
        self, patches: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, D); see `Engine`."""
        outputs = self._infer(patches=self._constant(patches))
        return outputs["scores"].numpy(), outputs["embeddings"].numpy()


def _import_tensorflow() -> ModuleType:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only; read at import
    try:
        return importlib.import_module("tensorflow")
    except ModuleNotFoundError as error:
        raise EngineError(
            "the TensorFlow engine: TensorFlow is not installed: pip install 'earshot[tensorflow]'"
        ) from error


def _prepare(tensorflow: ModuleType, threads: int) -> None:
    """Threads and GPU memory; a process that has already computed keeps what it has."""
    try:
        for gpu in tensorflow.config.list_physical_devices("GPU"):
            # else TensorFlow takes the whole GPU at once
            tensorflow.config.experimental.set_memory_growth(gpu, True)
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        log.info("TensorFlow is already running, its threads and GPU memory stay: %s", error)


def _load(tensorflow: ModuleType, path: Path) -> Any:
    try:
        return tensorflow.saved_model.load(str(path))
    except (OSError, ValueError, tensorflow.errors.OpError) as error:
        raise BundleError(f"{path}: expected a SavedModel: {error}") from error


def _signature(path: Path, model: Any) -> Any:
    if SIGNATURE not in model.signatures:
        found = sorted(model.signatures)
        raise BundleError(f"{path}: expected the signature {SIGNATURE}, found {found}")
    signature = model.signatures[SIGNATURE]
    if not set(signature.structured_outputs) >= _OUTPUTS:
        found = sorted(signature.structured_outputs)
        raise BundleError(f"{path}: expected outputs {sorted(_OUTPUTS)}, found {found}")
    return signature
