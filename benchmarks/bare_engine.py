"""Worker: nothing but the engine, on ready patches in full batches. `BUNDLE RECORDING [BATCH]`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from benchmarks.audio import read_waveform
from benchmarks.worker import serve
from listener.detection.bundle import read_bundle
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine

BATCH = 16
_RECORDED_PATCHES = 8  # of the 5 s at least


def main(bundle_path: Path, recording: Path, batch: int = BATCH) -> None:
    """Answer questions until standard input ends."""
    bundle = read_bundle(bundle_path)
    params = bundle.manifest.features
    engine = LiteRTEngine(bundle.model_path, threads=1, max_batch=batch)
    recorded = log_mel_patches(read_waveform(recording), params)
    if len(recorded) < _RECORDED_PATCHES:
        raise ValueError(f"{recording}: expected 8 patches or more, found {len(recorded)}")
    ready = np.resize(recorded[:_RECORDED_PATCHES], (batch, *recorded.shape[1:]))

    def step() -> float:
        engine.infer(ready)
        return batch * params.patch_hop_seconds

    step()
    serve(step)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
