"""OpenVINO on x86 and ARM CPUs; an extra."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import BundleError
from listener.engines.engine import Outputs, import_extra
from listener.engines.tflite import open_model, read_signature


class OpenVINOEngine:
    """A bundle's `model.tflite`, read by OpenVINO as it is; an `Engine` for batches of any size.

    Raises:
        EngineError: OpenVINO is not installed.
        BundleError: the file is not a TFLite model with the bundle's input and outputs, or one that
            OpenVINO cannot run.
    """

    def __init__(self, model_path: Path, threads: int = 1) -> None:
        # OpenVINO has no signatures, and its error for a file that is no model is ten lines long
        tensors = read_signature(model_path, open_model(model_path))
        # importing it sends usage statistics to Google Analytics, unless this package is absent
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        openvino = import_extra("openvino", "OpenVINO", "openvino")
        settings = {
            # by default it computes in bfloat16 where the CPU can: twice as fast, scores .03 off
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # the station's other threads need the cores, too
        }
        try:
            model = openvino.Core().compile_model(str(model_path), "CPU", settings)
            self._scores = model.output(tensors.scores.name)
            self._embeddings = model.output(tensors.embeddings.name)
            self._request = model.create_infer_request()
        except RuntimeError as error:
            raise BundleError(f"{model_path}: OpenVINO cannot run it: {error}") from error

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """Log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, D); see `Engine`."""
        outputs = self._request.infer([patches])  # copies
        return outputs[self._scores], outputs[self._embeddings]
