"""Data sets composed of the world's labelled sounds, as folders that the trainer reads."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.world.clips import labelled_clips
from benchmarks.world.packages import DataSet, World
from listener.detection.audio import Samples
from trainer.data import audio
from trainer.data.clips import Clip
from trainer.errors import DataError

_RATE_HZ = 16_000
_LONG = 1.6  # times the length of a clip: a file from which several are cut
_QUIETEST_DB = 20.0  # below the loudest clip of a file
_FOLDS = 4
_RECORDING = ("src_file", "recording", "group", "take_group")  # columns


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a file, its class, the recording that it is of, and its fold."""

    filename: str
    category: str
    src_file: str
    fold: int = 0


def compose(world: World, data_set: DataSet, root: Path, out: Path) -> Path:
    """Write clips and a table in ESC-50's form to `out`; folds hold whole recordings, balanced by class."""
    audio_folder = out / "audio"
    audio_folder.mkdir(parents=True, exist_ok=True)
    classes = {label: name for name, labels in data_set.classes.items() for label in labels}
    rows = []
    for number, clip in enumerate(labelled_clips(world, root, data_set.part)):
        if not clip.real or clip.label not in classes:
            continue
        for part, samples in enumerate(_cut(clip.path, data_set)):
            name = f"{classes[clip.label]}-{number}-{part}.wav"
            soundfile.write(audio_folder / name, samples, _RATE_HZ)
            recording = f"{clip.package}/{clip.path.stem}"
            rows.append(Row(name, classes[clip.label], recording))
    return write_table(out / f"{data_set.name}.csv", with_folds(rows))


def with_folds(rows: Sequence[Row], folds: int = _FOLDS) -> list[Row]:
    """Each class's recordings spread over folds, the largest first into the emptiest."""
    sizes: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        sizes[row.category, row.src_file] += 1
    filled: defaultdict[str, list[int]] = defaultdict(lambda: [0] * folds)
    fold_of: dict[str, int] = {}
    for (category, recording), size in sorted(sizes.items(), key=lambda each: (-each[1], each[0])):
        if recording not in fold_of:
            fold_of[recording] = 1 + int(np.argmin(filled[category]))
        filled[category][fold_of[recording] - 1] += size
    return [Row(row.filename, row.category, row.src_file, fold_of[row.src_file]) for row in rows]


def read_table(table: Path) -> list[Row]:
    """The rows of a table in ESC-50's form; another set may name its recordings in another column."""
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        recording = next(name for name in _RECORDING if name in (reader.fieldnames or ()))
        return [
            Row(row["filename"], row["category"], row[recording], int(row["fold"]))
            for row in reader
        ]


def write_table(path: Path, rows: Sequence[Row]) -> Path:
    """The table, in ESC-50's columns."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "fold", "category", "src_file"])
        writer.writerows((row.filename, row.fold, row.category, row.src_file) for row in rows)
    return path


def _cut(path: Path, data_set: DataSet) -> Iterator[Samples]:
    """The file, or of a long one its louder clips, evenly chosen."""
    try:
        samples = audio.read_audio(Clip(path, frozenset(), path.stem, fold=0), _RATE_HZ)
    except DataError:
        return
    length = round(data_set.clip_seconds * _RATE_HZ)
    if len(samples) <= _LONG * length:
        yield samples
        return
    parts = [samples[at : at + length] for at in range(0, len(samples) - length // 2, length)]
    levels = [10.0 * np.log10(np.mean(np.square(part)) + 1e-12) for part in parts]
    loud = [
        part
        for part, level in zip(parts, levels, strict=True)
        if level > max(levels) - _QUIETEST_DB
    ]
    count = min(len(loud), data_set.clips)
    yield from (loud[number] for number in np.linspace(0, len(loud) - 1, count).astype(int))
