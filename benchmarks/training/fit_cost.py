"""What `trainer fit` takes, as a whole process: from cold, again, and with ten times the clips."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.figures import Aim, Figure
from benchmarks.materials import Materials, find_materials
from benchmarks.training.school import School
from listener.soundscape.scene import at_level
from listener.soundscape.schedule import ambience
from listener.soundscape.sounds import ALARMS
from listener.soundscape.synthesis import SAMPLE_RATE_HZ

PART = "fit"
_CLIPS = (200, 2000)  # few, and ten times as many; the more must be over what is held in memory
_CLIP_SECONDS = 5.0
_SOUNDS = ("smoke_alarm", "siren", "doorbell", "telephone")
_MOST_GROWTH = 1.1  # what "flat" is held to


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one process: wall time, s, and the most memory that was resident at once, MB."""

    seconds: float
    megabytes: float


def measure_fit_cost(_school: School) -> list[Figure]:
    """`trainer fit` with its defaults on ESC-10, twice, then on generated clips, few and many."""
    materials = find_materials()
    esc10 = materials.recordings[0].parents[1]
    with _folder() as folder:
        cold = _fit(materials, esc10, folder / "cache", folder)
        warm = _fit(materials, esc10, folder / "cache", folder)
        few, many = (_fit_generated(materials, count) for count in _CLIPS)
    growth = many.megabytes / few.megabytes
    return [
        Figure(PART, "ESC-10 from cold", "s", (cold.seconds,), Aim("at most", 180)),
        Figure(PART, "ESC-10 again", "s", (warm.seconds,), Aim("at most", 20)),
        Figure(PART, "ESC-10 from cold, most memory", "MB", (cold.megabytes,)),
        Figure(PART, f"{_CLIPS[0]} clips, most memory", "MB", (few.megabytes,)),
        Figure(PART, f"{_CLIPS[1]} clips, most memory", "MB", (many.megabytes,)),
        Figure(PART, "memory, ten times the clips", "x", (growth,), Aim("at most", _MOST_GROWTH)),
    ]


def _fit_generated(materials: Materials, clips: int) -> Cost:
    with _folder() as folder:
        _write_clips(folder / "data", clips)
        return _fit(materials, folder / "data", folder / "cache", folder)


def _write_clips(folder: Path, count: int) -> None:
    """A folder per class, each clip another: an alarm of drawn pitch over noise of drawn colour."""
    for number in range(count):
        label = _SOUNDS[number % len(_SOUNDS)]
        rng = np.random.default_rng(number)
        alarm = at_level(ALARMS[label][0](_CLIP_SECONDS, rng, 1.0), -20.0)
        samples = alarm + at_level(ambience(_CLIP_SECONDS, rng), -35.0)
        (folder / label).mkdir(parents=True, exist_ok=True)
        path = folder / label / f"{number}.flac"
        soundfile.write(path, np.clip(samples, -1.0, 1.0), SAMPLE_RATE_HZ)


def _fit(materials: Materials, data: Path, cache: Path, folder: Path) -> Cost:
    options = {
        "--data": data,
        "--backbone": materials.yamnet,
        "--cache": cache,
        "--out": folder / "bundle",
    }
    command = [sys.executable, "-m", "trainer", "fit", *_flatten(options)]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)  # nobody waits for it again
    if process.returncode:
        raise RuntimeError(f"trainer fit: exit {process.returncode}: {said.decode()[-500:]}")
    return Cost(seconds, usage.ru_maxrss / 1e3)  # Linux counts in KB


def _flatten(options: dict[str, Path]) -> Iterator[str]:
    for name, value in options.items():
        yield from (name, str(value))


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="earshot-fit-") as name:
        yield Path(name)
