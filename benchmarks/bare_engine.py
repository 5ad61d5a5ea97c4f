"""Worker: nothing but the engine, on ready patches in full batches. `BUNDLE RECORDING`."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.audio import read_waveform
from benchmarks.worker import serve
from listener.detection.bundle import read_bundle
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine

BATCH = 16


def main(bundle_path: Path, recording: Path) -> None:
    """Answer questions until standard input ends."""
    bundle = read_bundle(bundle_path)
    params = bundle.manifest.features
    engine = LiteRTEngine(bundle.model_path, threads=1, max_batch=BATCH)
    ready = log_mel_patches(read_waveform(recording), params)[:8].repeat(2, axis=0)
    if len(ready) != BATCH:
        raise ValueError(f"{recording}: expected 8 patches, found {len(ready) // 2}")

    def step() -> float:
        engine.infer(ready)
        return BATCH * params.patch_hop_seconds

    step()
    serve(step)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
