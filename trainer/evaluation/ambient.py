"""Ambient audio: what a microphone hears when none of the labels is there. Recorded, or generated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape import SAMPLE_RATE_HZ, busy_ambience
from trainer.data.audio import decode, read_audio
from trainer.data.clips import Clip
from trainer.data.files import audio_files
from trainer.errors import DataError
from trainer.evaluation.reading import Progress
from trainer.evaluation.scoring import Scorer, score_file
from trainer.evaluation.spans import ScoredFile

PIECE_SECONDS = 600.0  # what is in memory at once; a file may last for days
GENERATED_SECONDS = 60.0  # of one colour, swelling and fading


def ambient_files(paths: Sequence[Path]) -> list[Path]:
    """The files, and of folders all audio in them and below.

    Raises:
        DataError: a path that is not there, or a folder without audio.
    """
    return [file for path in paths for file in _files(path)]


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError(f"{path}: expected a file or folder, found nothing")
    if path.is_file():
        return [path]
    found = audio_files(path, deep=True)
    if not found:
        raise DataError(f"{path}: expected a folder with audio, found none")
    return found


def score_ambient(
    scorer: Scorer,
    files: Sequence[Path],
    progress: Progress | None = None,
    piece_seconds: float = PIECE_SECONDS,
) -> list[ScoredFile]:
    """All files, in pieces; `progress` is called after each file.

    Raises:
        DataError: a file that is not audio.
    """
    scored: list[ScoredFile] = []
    for number, file in enumerate(files, start=1):
        pieces = _read_pieces(file, scorer.features.sample_rate_hz, piece_seconds)
        scored += [score_file(scorer, piece, file.name) for piece in pieces]
        if progress is not None:
            progress(number, len(files))
    return scored


def _read_pieces(path: Path, sample_rate_hz: int, piece_seconds: float) -> Iterator[Samples]:
    whole = Clip(path, frozenset(), group=path.stem, fold=0, seconds=piece_seconds)
    for number in count():
        onset = number * piece_seconds
        if number and next(decode(path, onset), None) is None:
            return
        yield read_audio(replace(whole, onset=onset), sample_rate_hz)


def score_generated_ambient(
    scorer: Scorer, minutes: float, seed: int = 0, progress: Progress | None = None
) -> list[ScoredFile]:
    """So many minutes of noises that swell and fade, knocks and clicks; no room sounds like it.

    Raises:
        DataError: the model does not listen at the rate of what is generated.
    """
    if scorer.features.sample_rate_hz != SAMPLE_RATE_HZ:
        raise DataError(
            f"generated ambient audio: expected a model at {SAMPLE_RATE_HZ} Hz, "
            f"got one at {scorer.features.sample_rate_hz} Hz"
        )
    rng = np.random.default_rng(seed)
    seconds = minutes * 60.0
    borders = np.append(np.arange(0.0, seconds, GENERATED_SECONDS), seconds)
    scored = []
    for number, length in enumerate(np.diff(borders), start=1):
        sound = busy_ambience(float(length), rng)
        scored.append(score_file(scorer, sound, f"generated ambient {number}"))
        if progress is not None:
            progress(number, len(borders) - 1)
    return scored
