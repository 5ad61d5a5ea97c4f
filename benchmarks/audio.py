"""The sounds that stations hear: ESC-10's recordings as 16 kHz files of a minute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from listener.detection.audio import mix_to_mono
from listener.detection.params import FeatureParams

SAMPLE_RATE_HZ = 16_000
_RECORDINGS_EACH = 12  # of 5 s

# a baby that cries from the first sample on: "Crying, sobbing" scores 0.98 at -17 dBFS
CLEAR_RECORDING = "5-151085-A-20.ogg"


def read_waveform(path: Path) -> NDArray[np.float32]:
    """A sound file as float32 (n,), mono, 16 kHz, [-1, 1].

    Raises:
        soundfile.LibsndfileError: it cannot be read.
    """
    samples, rate_hz = soundfile.read(path, dtype="float32")
    return np.asarray(soxr.resample(mix_to_mono(samples), rate_hz, SAMPLE_RATE_HZ), np.float32)


def cut_windows(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """A waveform (n,) -> its windows (windows, 15600), one a patch hop of 0.48 s; a view of it."""
    params = FeatureParams()
    windows = np.lib.stride_tricks.sliding_window_view(waveform, params.window_samples)
    return windows[:: params.patch_hop_samples]


def write_wav(path: Path, recordings: Sequence[Path]) -> Path:
    """The recordings one after the other as a 16-bit WAV file at 16 kHz; gives `path`."""
    waveform = np.concatenate([read_waveform(recording) for recording in recordings])
    soundfile.write(path, waveform, SAMPLE_RATE_HZ, subtype="PCM_16")
    return path


def write_minutes(directory: Path, recordings: Sequence[Path], count: int) -> list[Path]:
    """`count` different WAV files of a minute each, every class of sound in each."""
    # esc10.csv lists by fold, classes mixed; every count-th recording keeps the mixture
    return [
        write_wav(directory / f"minute{i}.wav", recordings[i::count][:_RECORDINGS_EACH])
        for i in range(count)
    ]


def find_clear(recordings: Sequence[Path]) -> Path:
    """The recording that begins with a loud clear event.

    Raises:
        ValueError: it is not among them.
    """
    for recording in recordings:
        if recording.name == CLEAR_RECORDING:
            return recording
    raise ValueError(f"expected {CLEAR_RECORDING} among {len(recordings)} recordings")
