"""OpenVINO on x86 and ARM CPUs; an extra. The only file that imports it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import BundleError
from listener.engines.engine import EngineError
from listener.engines.tflite import open_model, read_signature


class OpenVINOEngine:
    """A bundle's `model.tflite`, which OpenVINO reads as it is; an `Engine` for batches of any size.

    Raises:
        EngineError: OpenVINO is not installed.
        BundleError: the file is not a TFLite model with the bundle's input and outputs, or one that
            OpenVINO cannot run.
    """

    def __init__(self, model_path: Path, threads: int = 1) -> None:
        # OpenVINO knows no signatures, and what it makes of a file that is no model is ten lines long
        tensors = read_signature(model_path, open_model(model_path))
        openvino = _import_openvino()
        try:
            model = _compile(openvino, model_path, threads)
            self._scores = model.output(tensors.scores.name)
            self._embeddings = model.output(tensors.embeddings.name)
            self._request = model.create_infer_request()
        except RuntimeError as error:
            raise BundleError(f"{model_path}: OpenVINO cannot run it: {error}") from error

    def infer(
        self, patches: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, D); see `Engine`."""
        outputs = self._request.infer([patches])  # copies
        return outputs[self._scores], outputs[self._embeddings]


def _import_openvino() -> ModuleType:
    # Its import tells Google Analytics, unless this package is absent, which None says.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return importlib.import_module("openvino")
    except ModuleNotFoundError as error:
        raise EngineError(
            "the OpenVINO engine: OpenVINO is not installed: pip install 'earshot[openvino]'"
        ) from error


def _compile(openvino: ModuleType, path: Path, threads: int) -> Any:
    settings = {
        # left to itself it computes in bfloat16 where the CPU can: twice as fast, scores .03 off
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # a station's other threads need the cores, too
    }
    return openvino.Core().compile_model(str(path), "CPU", settings)
