"""`trainer soundscape`: generated scenes on disk, with their ground truth."""

from __future__ import annotations

import csv
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import soundfile

from listener.soundscape.scene import PlacedSound, Scene, clip_sound
from listener.soundscape.schedule import SceneSpec, random_scene
from listener.soundscape.synthesis import SAMPLE_RATE_HZ, Generator
from trainer.data.audio import read_audio
from trainer.data.clips import Clip
from trainer.data.files import audio_files
from trainer.data.formats import read_class_folders
from trainer.errors import DataError, TargetError

log = logging.getLogger(__name__)

TRUTH_FILE = "truth.csv"
_COLUMNS = ("filename", "onset", "offset", "event_label")
_SEEDS_APART = 1_000_000  # so that no two runs share a scene
_SCENES_TO_A_LINE = 100  # of progress


def write_soundscapes(out: Path, programme: SceneSpec, count: int, seed: int) -> Path:
    """So many scenes as FLAC, an Audacity label track beside each, and the truth of all as CSV.

    Gives the path of `truth.csv`, which is the last to be written: one line a sound with filename,
    onset, offset (seconds) and event_label.

    Raises:
        TargetError: `out` holds something already, or cannot be written.
    """
    _make_folder(out)
    truth: list[tuple[str, PlacedSound]] = []
    for number in range(count):
        scene = random_scene(programme, seed=seed * _SEEDS_APART + number)
        name = f"scene_{number:04d}.flac"
        _write_scene(out / name, scene)
        truth += [(name, sound) for sound in scene.truth]
        if number % _SCENES_TO_A_LINE == 0:
            log.info("made %d of %d scenes", number, count)
    return _write_truth(out / TRUTH_FILE, truth)


def make_programme(
    seconds: float,
    sounds_per_scene: int,
    snr_db: float,
    reverb_seconds: float,
    clips: Path | None = None,
    backgrounds: Path | None = None,
) -> SceneSpec:
    """The programme of the command's options; see `SceneSpec`.

    Raises:
        DataError: the sounds do not fit into a scene, or a folder holds no audio that can be read.
    """
    try:
        programme = SceneSpec(
            seconds=seconds,
            sounds_per_scene=sounds_per_scene,
            snr_db=snr_db,
            reverb_seconds=reverb_seconds,
        )
    except ValueError as error:
        raise DataError(str(error)) from error
    if clips is not None:
        programme = with_clips(programme, clips)
    return programme if backgrounds is None else with_backgrounds(programme, backgrounds)


def with_clips(programme: SceneSpec, folder: Path) -> SceneSpec:
    """The programme with given clips among its sounds: a folder for each label, audio files in it.

    Raises:
        DataError: there is no audio, or it cannot be read.
    """
    clips: defaultdict[str, list[Generator]] = defaultdict(list)
    for clip in read_class_folders(folder).clips:
        (label,) = clip.labels
        clips[label].append(_read_sound(clip))
    if not clips:
        raise DataError(f"{folder}: expected a folder of clips for each label, found none")
    given = {label: tuple(sounds) for label, sounds in clips.items()}
    return replace(programme, sounds={**programme.sounds, **given})


def with_backgrounds(programme: SceneSpec, folder: Path) -> SceneSpec:
    """The programme over the audio files of a folder.

    Raises:
        DataError: there is no audio, or it cannot be read.
    """
    files = audio_files(folder) if folder.is_dir() else []
    if not files:
        raise DataError(f"{folder}: expected a folder of audio files, found none")
    clips = (Clip(file, frozenset(), file.stem, fold=0) for file in files)
    return replace(programme, backgrounds=tuple(_read_sound(clip) for clip in clips))


def _read_sound(clip: Clip) -> Generator:
    return clip_sound(read_audio(clip, SAMPLE_RATE_HZ))


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(f"{out}: cannot be written: {error.strerror}") from error
    if any(out.iterdir()):
        raise TargetError(f"{out}: expected a new or empty folder, it holds something")


def _write_scene(path: Path, scene: Scene) -> None:
    soundfile.write(path, scene.samples, SAMPLE_RATE_HZ, subtype="PCM_16")
    lines = [f"{sound.onset:.3f}\t{sound.offset:.3f}\t{sound.label}\n" for sound in scene.truth]
    path.with_suffix(".txt").write_text("".join(lines), encoding="utf-8")


def _write_truth(path: Path, truth: Sequence[tuple[str, PlacedSound]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(_COLUMNS)
        for name, sound in truth:
            writer.writerow((name, f"{sound.onset:.3f}", f"{sound.offset:.3f}", sound.label))
    return path
