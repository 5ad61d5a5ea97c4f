"""Events where there should be none: in noise, in silence, in ambient audio."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np

from listener.detection.audio import SILENCE_DBFS, Samples
from listener.detection.bundle import Bundle
from listener.detection.policy import LabelPolicy
from listener.soundscape.schedule import busy_ambience
from listener.soundscape.synthesis import SAMPLE_RATE_HZ, brown_noise, pink_noise, white_noise
from trainer.augment.waveform import change_gain
from trainer.data import audio, clips
from trainer.data.files import audio_files
from trainer.errors import DataError
from trainer.evaluation.operating_points import AlarmRate
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import Scorer, find_spans, score_file
from trainer.provenance import provenance_of
from trainer.terminal import Progress

NOISE_LEVELS_DBFS = (-60.0, -40.0, -20.0)
_NOISE_DBFS = -12.04  # of what is generated: an RMS of 0.25
_SECONDS_PER_HOUR = 3600.0
PIECE_SECONDS = 600.0  # what is in memory at once; a file may last for days
GENERATED_SECONDS = 60.0  # of one colour, swelling and fading
_NOISES = {
    "white noise": white_noise,
    "pink noise": pink_noise,
    "brown noise": brown_noise,
}
# AudioSet's classes whose names say what the generated sounds are: a bundle that knows them is right to
# find them in noise and in silence. Not what noise only sounds like (waterfall, wind, rustle, snake): for
# a station that listens for one of these, an event in noise is a false alarm.
# https://research.google.com/audioset/ontology
NOISE_CLASSES = {
    "/m/028v0c": "Silence",
    "/m/096m7z": "Noise",
    "/m/06_y0by": "Environmental noise",
    "/m/07rgkc5": "Static",
    "/m/0chx_": "White noise",
    "/m/0cj0r": "Pink noise",
}


@dataclass(frozen=True, slots=True)
class AmbientAlarms:
    """Events in audio that has none of the labels: of all labels together and of each."""

    total: AlarmRate
    labels: Mapping[str, AlarmRate]


@dataclass(frozen=True, slots=True)
class NoiseAlarms:
    """Events in one generated sound, `events` by label; there should be none."""

    sound: str
    level_dbfs: float
    seconds: float
    events: Mapping[str, int]


def ambient_alarms(
    files: Sequence[ScoredFile], policies: Mapping[str, LabelPolicy], patch_hop_seconds: float
) -> AmbientAlarms:
    """False alarms in ambient audio with the daemon's own detector.

    Raises:
        ValueError: no audio.
    """
    hours = sum(file.seconds for file in files) / _SECONDS_PER_HOUR
    counts = _count_events(files, policies, patch_hop_seconds)
    labels = {label: AlarmRate(counts[label], hours) for label in policies}
    return AmbientAlarms(AlarmRate(counts.total(), hours), labels)


def noise_alarms(
    scorer: Scorer,
    policies: Mapping[str, LabelPolicy],
    *,
    seconds: float = 60.0,
    seed: int = 0,
    ignored: Collection[str] = (),
) -> tuple[NoiseAlarms, ...]:
    """Silence, and white, pink and brown noise at three levels.

    `ignored` are labels that are right here, of a bundle that knows noise as a sound.
    """
    found = []
    for name, level_dbfs, samples in _generate_sounds(seconds, seed):
        file = score_file(scorer, samples, name)
        counts = _count_events([file], policies, scorer.features.patch_hop_seconds)
        events = {label: count for label, count in counts.items() if label not in ignored}
        found.append(NoiseAlarms(name, level_dbfs, seconds, events))
    return tuple(found)


def _generate_sounds(seconds: float, seed: int) -> Iterator[tuple[str, float, Samples]]:
    rng = np.random.default_rng(seed)
    yield "silence", SILENCE_DBFS, np.zeros_like(white_noise(seconds, rng))
    for name, make in _NOISES.items():
        noise = make(seconds, rng)
        for level_dbfs in NOISE_LEVELS_DBFS:
            yield name, level_dbfs, change_gain(noise, level_dbfs - _NOISE_DBFS)


def _count_events(
    files: Iterable[ScoredFile], policies: Mapping[str, LabelPolicy], patch_hop_seconds: float
) -> Counter[str]:
    return Counter(
        span.label for file in files for span in find_spans(file, policies, patch_hop_seconds)
    )


def noise_classes_of(bundle: Bundle) -> frozenset[str]:
    """The labels of a bundle that are in NOISE_CLASSES, as slugs; none if it was not made of YAMNet's."""
    mids = provenance_of(bundle.manifest).get("audioset_mids", ())
    return frozenset(
        slug for slug, mid in zip(bundle.labels, mids, strict=False) if mid in NOISE_CLASSES
    )


def ambient_files(paths: Sequence[Path]) -> list[Path]:
    """The files, and of folders all audio in them and below.

    Raises:
        DataError: a path that does not exist, or a folder without audio.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: expected a file or folder, found nothing")
        found = [path] if path.is_file() else audio_files(path, deep=True)
        if not found:
            raise DataError(f"{path}: expected a folder with audio, found none")
        files += found
    return files


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
    whole = clips.Clip(path, frozenset(), group=path.stem, fold=0, seconds=piece_seconds)
    for number in count():
        onset = number * piece_seconds
        if number and next(audio.decode(path, onset), None) is None:
            return
        yield audio.read_audio(replace(whole, onset=onset), sample_rate_hz)


def score_generated_ambient(
    scorer: Scorer, minutes: float, seed: int = 0, progress: Progress | None = None
) -> list[ScoredFile]:
    """So many minutes of noises that swell and fade, knocks and clicks; no room sounds like it.

    Raises:
        DataError: the model's sample rate is not that of what is generated.
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
