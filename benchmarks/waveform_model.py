"""YAMNet as one TFLite file from a window's samples to scores, as TF Hub has it for other programs.

`python -m benchmarks.waveform_model YAMNET RECORDING OUT`. A process of its own: TensorFlow's threads
and memory stay out of what is measured.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow
import tensorflow_hub
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.audio import cut_windows, read_waveform
from listener.detection.params import FeatureParams

_MOST_APART = 1e-5


def main(yamnet: Path, recording: Path, out: Path) -> None:
    """Convert in float32, which is twice as fast here as TF Hub's own file with weights of 8 bits."""
    model = tensorflow_hub.load(str(yamnet))
    out.write_bytes(_convert(model))
    window = cut_windows(read_waveform(recording))[0]
    wanted, _embeddings, _log_mel = model(window)
    _check(wanted.numpy(), _run(out, window))


def _convert(model: Any) -> bytes:
    samples = tensorflow.TensorSpec([FeatureParams().window_samples], tensorflow.float32)
    scores = tensorflow.function(lambda waveform: model(waveform)[0], input_signature=[samples])
    function = scores.get_concrete_function()
    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([function], model)
    return bytes(converter.convert())


def _run(path: Path, window: NDArray[np.float32]) -> NDArray[np.float32]:
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], window)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def _check(wanted: NDArray[np.float32], got: NDArray[np.float32]) -> None:
    apart = float(np.abs(wanted - got).max())
    if not apart <= _MOST_APART:
        raise ValueError(f"expected TF Hub's scores within {_MOST_APART}, got {apart} apart")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
