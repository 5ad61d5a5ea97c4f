"""A data set of two tones in five folds, which the tones bundle's embeddings tell apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from listener.detection.audio import Samples

RATE_HZ = 16_000
HZ = {"high": 3000.0, "low": 500.0}
SECONDS = 1.5


def tone(hz: float, amplitude: float, seconds: float = SECONDS) -> Samples:
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def write_tones(folder: Path) -> Path:
    """In ESC-50's format: two clips of each class in each of five folds."""
    (folder / "audio").mkdir(parents=True)
    rows = ["filename,fold,target,category"]
    for number, (name, hz) in enumerate(HZ.items()):
        for fold in range(1, 6):
            for take in (1, 2):
                file = f"{fold}-{name}{take}-A-{number}.wav"
                samples = tone(hz, 0.1 * fold + 0.05 * take)
                soundfile.write(folder / "audio" / file, samples, RATE_HZ)
                rows.append(f"{file},{fold},{number},{name}")
    (folder / "tones.csv").write_text("\n".join(rows) + "\n")
    return folder
