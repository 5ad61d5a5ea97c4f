"""A bundle's `saved_model/` in TensorFlow: loaded, its signatures checked."""

import logging
import os
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import BundleError
from listener.engines.engine import import_extra

log = logging.getLogger(__name__)

PATCHES, WINDOWS = "patches", "windows"  # signatures, each named like its one input
_OUTPUTS = {"scores", "embeddings"}


class SavedModel:
    """The model of a SavedModel directory, on the GPU if there is one. `path` is None if there is none.

    TensorFlow is imported with the first one, and its threads can only be set then.

    Raises:
        EngineError: TensorFlow is not installed.
        BundleError: the bundle has no SavedModel.
    """

    def __init__(self, path: Path | None, threads: int) -> None:
        if path is None:
            raise BundleError(
                "the TensorFlow engine: expected saved_model/ in the bundle, found none"
            )
        self.path = path
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only; read at import
        self.tensorflow = import_extra("tensorflow", "TensorFlow", "tensorflow")
        _configure(self.tensorflow, threads)
        self.on_gpu = bool(self.tensorflow.config.list_logical_devices("GPU"))
        try:
            with self.on_device():
                self._model = self.tensorflow.saved_model.load(str(path))
        except (OSError, ValueError, self.tensorflow.errors.OpError) as error:
            raise BundleError(f"{path}: expected a SavedModel: {error}") from error

    def on_device(self) -> AbstractContextManager[object]:
        """Within it TensorFlow creates and computes on the GPU, or without one on the CPU."""
        device: AbstractContextManager[object] = self.tensorflow.device(
            "/GPU:0" if self.on_gpu else "/CPU:0"
        )
        return device

    def copy(self, rows: NDArray[np.float32]) -> Any:
        """A tensor on the device; later changes of the array do not reach it."""
        return self.tensorflow.constant(rows)

    def has(self, name: str) -> bool:
        """Whether it has a signature of this name."""
        return name in self._model.signatures

    def signature(self, name: str) -> Any:
        """The signature of this name, a function of the one input `name`, float32 (B, ...).

        It holds its variables only weakly: keep this value, too.

        Raises:
            BundleError: there is none, or it lacks the outputs of a bundle's model.
        """
        if not self.has(name):
            found = sorted(self._model.signatures)
            raise BundleError(f"{self.path}: expected the signature {name}, found {found}")
        signature = self._model.signatures[name]
        if not set(signature.structured_outputs) >= _OUTPUTS:
            found = sorted(signature.structured_outputs)
            raise BundleError(f"{self.path}: expected outputs {sorted(_OUTPUTS)}, found {found}")
        return signature


def _configure(tensorflow: ModuleType, threads: int) -> None:
    """Set precision, threads and GPU memory; a process that has already computed keeps its own."""
    # by default GPUs round products to 10 bits, and policies were set on float32 scores
    tensorflow.config.experimental.enable_tensor_float_32_execution(False)
    try:
        for gpu in tensorflow.config.list_physical_devices("GPU"):
            # else TensorFlow allocates the whole GPU at once
            tensorflow.config.experimental.set_memory_growth(gpu, True)
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        log.info("TensorFlow is already running, its threads and GPU memory stay: %s", error)
