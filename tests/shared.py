"""What lies beside the project for its developers: ../shared, or where EARSHOT_SHARED says."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from listener.detection.audio import mix_to_mono
from listener.detection.params import FeatureParams

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Recording:
    """One of ESC-10's 400 recordings of 5 s; `fold` is 1 to 5."""

    path: Path
    category: str
    fold: int


def find_shared() -> Path | None:
    """The folder, or None where there is none."""
    path = Path(os.environ.get("EARSHOT_SHARED", ROOT.parent / "shared")).resolve()
    return path if path.is_dir() else None


def read_esc10(shared: Path) -> list[Recording]:
    """The rows of esc10.csv, in its order."""
    folder = shared / "data" / "esc10"
    with (folder / "esc10.csv").open(newline="", encoding="utf-8") as lines:
        return [
            Recording(folder / "audio" / row["filename"], row["category"], int(row["fold"]))
            for row in csv.DictReader(lines)
        ]


def read_waveform(path: Path) -> NDArray[np.float32]:
    """A sound file as the model takes it: float32 (n,), mono, 16 kHz."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    wanted_hz = FeatureParams().sample_rate_hz
    return np.asarray(soxr.resample(mix_to_mono(samples), rate_hz, wanted_hz), np.float32)
