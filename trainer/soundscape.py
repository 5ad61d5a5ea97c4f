"""`trainer soundscape`: generated scenes on disk, with their ground truth."""

import csv
import logging
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import soundfile

from listener.soundscape.scene import PlacedSound, clip_sound
from listener.soundscape.schedule import SceneSpec, random_scene
from listener.soundscape.synthesis import SAMPLE_RATE_HZ, Generator
from trainer.data import audio, formats
from trainer.data.clips import Clip
from trainer.data.files import audio_files
from trainer.errors import DataError, TargetError

log = logging.getLogger(__name__)

TRUTH_FILE = "truth.csv"
_COLUMNS = ("filename", "onset", "offset", "event_label")
_SEEDS_APART = 1_000_000  # so that no two runs share a scene
_SCENES_PER_LOG_LINE = 100


def write_soundscapes(out: Path, spec: SceneSpec, count: int, seed: int) -> Path:
    """Write `count` scenes as FLAC, each with an Audacity label track, and the truth of all as CSV.

    Returns the path of `truth.csv`, which is written last: one line per sound with filename, onset,
    offset (seconds) and event_label.

    Raises:
        TargetError: `out` is not empty, or cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(f"{out}: cannot be written: {error.strerror}") from error
    if any(out.iterdir()):
        raise TargetError(f"{out}: expected a new or empty folder, it holds something")
    truth: list[tuple[str, PlacedSound]] = []
    for number in range(count):
        scene = random_scene(spec, seed=seed * _SEEDS_APART + number)
        name = f"scene_{number:04d}.flac"
        path = out / name
        soundfile.write(path, scene.samples, SAMPLE_RATE_HZ, subtype="PCM_16")
        track = [f"{each.onset:.3f}\t{each.offset:.3f}\t{each.label}\n" for each in scene.truth]
        path.with_suffix(".txt").write_text("".join(track), encoding="utf-8")
        truth += [(name, sound) for sound in scene.truth]
        if number % _SCENES_PER_LOG_LINE == 0:
            log.info("made %d of %d scenes", number, count)
    with (out / TRUTH_FILE).open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(_COLUMNS)
        for name, sound in truth:
            writer.writerow((name, f"{sound.onset:.3f}", f"{sound.offset:.3f}", sound.label))
    return out / TRUTH_FILE


def make_scene_spec(
    seconds: float,
    sounds_per_scene: int,
    snr_db: float,
    reverb_seconds: float,
    clips: Path | None = None,
    backgrounds: Path | None = None,
) -> SceneSpec:
    """The spec for the command's options; see `SceneSpec`.

    Raises:
        DataError: the sounds do not fit into a scene, or a folder holds no audio that can be read.
    """
    try:
        spec = SceneSpec(
            seconds=seconds,
            sounds_per_scene=sounds_per_scene,
            snr_db=snr_db,
            reverb_seconds=reverb_seconds,
        )
    except ValueError as error:
        raise DataError(str(error)) from error
    if clips is not None:
        spec = with_clips(spec, clips)
    return spec if backgrounds is None else with_backgrounds(spec, backgrounds)


def with_clips(spec: SceneSpec, folder: Path) -> SceneSpec:
    """The spec with more sounds: a folder for each label, with audio files in it.

    Raises:
        DataError: there is no audio, or it cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of clips for each label, found no folder")
    clips: defaultdict[str, list[Generator]] = defaultdict(list)
    for clip in formats.read_class_folders(folder).clips:
        (label,) = clip.labels
        clips[label].append(_read_sound(clip))
    if not clips:
        raise DataError(f"{folder}: expected a folder of clips for each label, found none")
    added = {label: tuple(sounds) for label, sounds in clips.items()}
    return replace(spec, sounds={**spec.sounds, **added})


def with_backgrounds(spec: SceneSpec, folder: Path) -> SceneSpec:
    """The spec with the audio files of a folder as backgrounds, in place of noise.

    Raises:
        DataError: there is no audio, or it cannot be read.
    """
    files = audio_files(folder) if folder.is_dir() else []
    if not files:
        raise DataError(f"{folder}: expected a folder of audio files, found none")
    clips = (Clip(file, frozenset(), file.stem, fold=0) for file in files)
    return replace(spec, backgrounds=tuple(_read_sound(clip) for clip in clips))


def _read_sound(clip: Clip) -> Generator:
    return clip_sound(audio.read_audio(clip, SAMPLE_RATE_HZ))
