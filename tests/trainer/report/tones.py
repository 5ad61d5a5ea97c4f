"""Clips that the tones bundle of tests/bundles.py judges: all right but one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from tests.trainer.training.tones import RATE_HZ, tone

SECONDS = 3.0
WRONG = "high_2_odd.wav"  # a low tone that the table calls a high one


def write_judged(folder: Path) -> Path:
    """ESC-50's form: two low and two high tones in each of folds 1 and 2, and WRONG in fold 2."""
    (folder / "audio").mkdir(parents=True)
    rows = ["filename,fold,category"]
    for name, hz in (("low_tone", 500.0), ("high_tone", 3000.0)):
        for fold in (1, 2):
            for number in (1, 2):
                file = f"{name}_{fold}_{'ab'[number - 1]}.wav"
                rows.append(f"{file},{fold},{name}")
                _write(folder / "audio" / file, hz, 0.1 * fold + 0.03 * number)
    _write(folder / "audio" / WRONG, 500.0, 0.5)
    (folder / "judged.csv").write_text("\n".join([*rows, f"{WRONG},2,high_tone"]) + "\n")
    (folder / "LICENSE.txt").write_text("Made by arithmetic: CC0 1.0\n")
    return folder


def _write(path: Path, hz: float, amplitude: float) -> None:
    soundfile.write(path, tone(hz, amplitude, SECONDS), RATE_HZ, subtype="FLOAT")


def write_quiet(path: Path, seconds: float, *onsets: float) -> Path:
    """Silence with a low tone of a second at each onset; its folder is made."""
    samples = np.zeros(round(seconds * RATE_HZ), np.float32)
    for onset in onsets:
        start = round(onset * RATE_HZ)
        samples[start : start + RATE_HZ] = tone(500.0, 0.5, 1.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    return path
