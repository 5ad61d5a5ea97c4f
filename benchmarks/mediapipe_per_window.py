"""Worker: MediaPipe's AudioClassifier, one window a call. `MODEL WINDOWS HOP_SECONDS`.

It runs in MediaPipe's own environment: of this project it imports only what needs nothing else.
`WINDOWS` is a file of numpy with float32 (n, 15600).
"""

from __future__ import annotations

import sys
import tempfile
from itertools import cycle
from pathlib import Path

import numpy as np
from mediapipe.tasks.python import BaseOptions
from mediapipe.tasks.python.audio import AudioClassifier, AudioClassifierOptions
from mediapipe.tasks.python.components.containers import AudioData

from benchmarks.mediapipe_model import with_metadata
from benchmarks.worker import serve

_SAMPLE_RATE_HZ = 16_000
_BEST = 5  # all 521, its default, become Python objects and cost more


def main(model: Path, windows: Path, hop_seconds: float) -> None:
    """Answer questions until standard input ends."""
    with tempfile.TemporaryDirectory() as directory:
        classifier = _open(with_metadata(model, Path(directory, "model.tflite"), _SAMPLE_RATE_HZ))
    turns = cycle(np.load(windows))

    def step() -> float:
        classifier.classify(AudioData.create_from_array(next(turns), _SAMPLE_RATE_HZ))
        return hop_seconds

    step()
    serve(step)


def _open(model: Path) -> AudioClassifier:
    options = AudioClassifierOptions(
        base_options=BaseOptions(model_asset_path=str(model)), max_results=_BEST
    )
    return AudioClassifier.create_from_options(options)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
