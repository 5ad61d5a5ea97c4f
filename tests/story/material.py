"""What the story is told of: recordings that are played in a loop, and clips whose labels were mixed up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from listener.detection.audio import Samples
from tests.listener.detection.waveforms import RATE_HZ, silence, sine
from tests.shared import read_esc10, read_waveform

PATCH_HOP_SECONDS = 0.24  # `trainer fit`'s
SOUND_SECONDS = 2.0
SLOT_SECONDS = 16 * PATCH_HOP_SECONDS  # whole hops: each round of a loop gives the same patches
RECORDINGS = 5
LEARNT_FOLDS, HELD_FOLD, PLAYED_FOLD = (1, 2, 3), 4, 5
_PEAK = 0.5


@dataclass(frozen=True, slots=True)
class Example:
    """A clip to learn from; `fold` 1 to 4."""

    name: str
    label: str
    fold: int
    samples: Samples


@dataclass(frozen=True, slots=True)
class Material:
    """The sounds of three sources, each of one label, and what a first bundle learns.

    `loops` are RECORDINGS sounds each, (SLOT_SECONDS each, float32 at 16 kHz), by their label; the first
    two labels are the ones that the first bundle confuses. `data` is a folder in ESC-50's form: of what is
    learnt from, three in four clips of those two have each other's names; in the fold that is held back
    they have their own.
    """

    backbone: Path
    data: Path
    loops: Mapping[str, Samples]

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the sources, the two that are confused first."""
        return tuple(self.loops)

    @property
    def loop_seconds(self) -> float:
        """How long a round of a loop takes."""
        return RECORDINGS * SLOT_SECONDS

    def write_loop(self, label: str, path: Path) -> Path:
        """The loop of a label as a sound file."""
        soundfile.write(path, self.loops[label], RATE_HZ, subtype="PCM_16")
        return path


def of_esc10(shared: Path, folder: Path) -> Material:
    """Dogs and roosters of ESC-10, beside chainsaws; those of fold 5 are played and never learnt."""
    labels = ("dog", "rooster", "chainsaw")
    recordings = [each for each in read_esc10(shared) if each.category in labels]
    examples = (
        Example(each.path.stem, each.category, each.fold, read_waveform(each.path))
        for each in recordings
        if each.fold != PLAYED_FOLD
    )
    loops = {
        label: make_loop(
            [
                loudest(read_waveform(each.path))
                for each in recordings
                if (each.category, each.fold) == (label, PLAYED_FOLD)
            ]
        )
        for label in labels
    }
    return Material(
        shared / "models" / "yamnet", write_mixed_up(folder, examples, labels[:2]), loops
    )


def of_tones(backbone: Path, folder: Path) -> Material:
    """Three tones, each recording a little higher than the one before; `backbone` is the tones bundle."""
    heights = {"beep": 500.0, "whistle": 3000.0, "hum": 1250.0}
    loops = {
        label: make_loop(
            [sine(hz * (1.0 + take / 100), SOUND_SECONDS) for take in range(RECORDINGS)]
        )
        for label, hz in heights.items()
    }
    return Material(backbone, write_mixed_up(folder, _tones(heights), ("beep", "whistle")), loops)


def _tones(heights: Mapping[str, float]) -> Iterator[Example]:
    for label, hz in heights.items():
        for fold in (*LEARNT_FOLDS, HELD_FOLD):
            for take in range(4):
                samples = sine(hz * (1.0 + (fold + 4 * take) / 400), 1.5, 0.2 + 0.05 * take)
                yield Example(f"{fold}-{label}{take}", label, fold, samples)


def make_loop(sounds: Sequence[Samples]) -> Samples:
    """The first RECORDINGS of them, each with silence after it."""
    gap = silence(SLOT_SECONDS - SOUND_SECONDS)
    played = [part for sound in sounds[:RECORDINGS] for part in (_at_peak(sound), gap)]
    return np.concatenate(played)


def loudest(samples: Samples) -> Samples:
    """The SOUND_SECONDS of a recording with the most energy."""
    energy = np.concatenate(([0.0], np.cumsum(np.square(samples, dtype=np.float64))))
    count = round(SOUND_SECONDS * RATE_HZ)
    start = int(np.argmax(energy[count:] - energy[:-count]))
    return samples[start : start + count]


def _at_peak(samples: Samples) -> Samples:
    return samples * np.float32(_PEAK / np.abs(samples).max())


def write_mixed_up(folder: Path, examples: Iterator[Example], confused: Sequence[str]) -> Path:
    """ESC-50's form; three in four of the clips to learn from that are `confused` have the other's name."""
    (folder / "audio").mkdir(parents=True)
    other = dict(zip(confused, reversed(confused), strict=True))
    rows = ["filename,fold,category"]
    for number, each in enumerate(examples):
        soundfile.write(folder / "audio" / f"{each.name}.wav", each.samples, RATE_HZ)
        wrong = each.fold in LEARNT_FOLDS and number % 4
        label = other.get(each.label, each.label) if wrong else each.label
        rows.append(f"{each.name}.wav,{each.fold},{label}")
    (folder / "mixed-up.csv").write_text("\n".join(rows) + "\n")
    return folder
