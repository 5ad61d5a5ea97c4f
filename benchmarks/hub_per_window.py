"""Worker: TF Hub's model called for each window, as the TensorFlow tutorial does. `YAMNET RECORDING`."""

from __future__ import annotations

import sys
from itertools import cycle
from pathlib import Path

import tensorflow_hub

from benchmarks.audio import cut_windows, read_waveform
from benchmarks.worker import serve
from listener.detection.params import FeatureParams


def main(yamnet: Path, recording: Path) -> None:
    """Answer questions until standard input ends."""
    params = FeatureParams()
    model = tensorflow_hub.load(str(yamnet))
    turns = cycle(cut_windows(read_waveform(recording)))

    def step() -> float:
        scores, _embeddings, _log_mel = model(next(turns))
        scores.numpy()
        return params.patch_hop_seconds

    for _ in range(5):  # the first calls trace the graph
        step()
    serve(step)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
