"""Worker: one window a call through a TFLite interpreter for each camera. `MODEL RECORDING CAMERAS`.

What Frigate does with a camera's sound (its frigate/events/audio.py): 16-bit samples of a window, their
level, the waveform in floats, an interpreter with two threads, the best 20 scores over 0.4. It does so
once for each 0.975 s, and only for loud ones; here it is each window, one a patch hop, so that it hears
as much as the station. FFmpeg, which it starts for each camera, is not counted.
"""

from __future__ import annotations

import math
import sys
from itertools import cycle
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.audio import cut_windows, read_waveform
from benchmarks.worker import serve
from listener.detection.params import FeatureParams

_FULL_SCALE = 32768.0
_THREADS = 2
_BEST = 20
_LEAST_SCORE = 0.4


class Camera:
    """An interpreter of its own, and what is done with a window before and after it."""

    def __init__(self, model: Path) -> None:
        self._interpreter = Interpreter(str(model), num_threads=_THREADS)
        self._interpreter.allocate_tensors()
        self._waveform = self._interpreter.get_input_details()[0]["index"]
        self._scores = self._interpreter.get_output_details()[0]["index"]

    def hear(self, samples: NDArray[np.int16]) -> tuple[float, list[tuple[int, float]]]:
        """Samples (15600,) -> their level in dBFS, and the best labels with their scores."""
        rms = float(np.sqrt(np.mean(np.square(samples.astype(np.float32)))))
        level_dbfs = 20 * math.log10(max(rms, 1.0) / _FULL_SCALE)
        waveform = (samples / _FULL_SCALE).astype(np.float32)
        self._interpreter.set_tensor(self._waveform, waveform)
        self._interpreter.invoke()
        scores = self._interpreter.get_tensor(self._scores)[0]
        best = np.argpartition(-scores, _BEST)[:_BEST]
        best = best[np.argsort(-scores[best])]
        return level_dbfs, [(int(i), float(scores[i])) for i in best if scores[i] >= _LEAST_SCORE]


def main(model: Path, recording: Path, count: int) -> None:
    """Answer questions until standard input ends; the cameras take turns."""
    windows = (cut_windows(read_waveform(recording)) * (_FULL_SCALE - 1)).astype(np.int16)
    cameras = [Camera(model) for _ in range(count)]
    turns = cycle(windows)
    hop_seconds = FeatureParams().patch_hop_seconds

    def step() -> float:
        for camera in cameras:
            camera.hear(next(turns))
        return count * hop_seconds

    step()
    serve(step)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
