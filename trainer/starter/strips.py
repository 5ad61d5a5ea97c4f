"""The audio that the starter learns from and is measured on: recordings, scenes and mixed strips."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.bundle import Label
from listener.detection.params import FeatureParams
from listener.soundscape.scene import Scene, at_level, reverberate, without_clipping
from listener.soundscape.schedule import SceneSpec, ambience, busy_ambience, random_scene
from listener.soundscape.sounds import ALARMS
from listener.soundscape.synthesis import SAMPLE_RATE_HZ, Generator
from trainer.data import audio, files, formats
from trainer.data.clips import Clip
from trainer.errors import DataError
from trainer.starter.real_audio import RealAudio

SCENE_SECONDS = 30.0
BACKGROUND_SECONDS = 60.0
BACKGROUND_DBFS = (-80.0, -15.0)  # a silent room to a loud one
TEST_SNR_DB = 10.0
_SEEDS_APART = 1_000_000
TABLE_FILE, LICENCE_FILE = "esc10.csv", "LICENSE.md"

ESC10_LABELS = (
    Label("dog", "Dog"),
    Label("rain", "Rain"),
    Label("sea_waves", "Sea waves"),
    Label("crying_baby", "Crying baby"),
    Label("clock_tick", "Clock tick"),
    Label("sneezing", "Sneezing"),
    Label("helicopter", "Helicopter"),
    Label("chainsaw", "Chainsaw"),
    Label("rooster", "Rooster"),
    Label("crackling_fire", "Crackling fire"),
)
ALARM_LABELS = (
    Label("smoke_alarm", "Smoke alarm"),
    Label("co_alarm", "Carbon monoxide alarm"),
    Label("siren", "Siren"),
    Label("reversing_beeper", "Reversing beeper"),
    Label("doorbell", "Doorbell"),
    Label("appliance_beep", "Appliance beep"),
    Label("telephone", "Telephone"),
)
LABELS = ESC10_LABELS + ALARM_LABELS
COLUMNS = {label.slug: column for column, label in enumerate(LABELS)}
ALARM_SOUNDS = {label.slug: ALARMS[label.slug] for label in ALARM_LABELS}

FEATURES = FeatureParams()
PATCHES = 10  # in a strip
STRIP_SAMPLES = FEATURES.window_samples + (PATCHES - 1) * FEATURES.patch_hop_samples
STRIP_SECONDS = STRIP_SAMPLES / SAMPLE_RATE_HZ

# How often a strip holds a recording, an alarm, real audio without labels or nothing, and how loud
# everything is
_SHARES = {"recording": 0.32, "alarm": 0.26, "real": 0.35, "nothing": 0.07}
_LEVEL_DBFS = (-55.0, -12.0)
_QUIETEST_DBFS = -90.0
_SNR_DB = (0.0, 35.0)
_BAND_LIMITED_SHARE = 0.25  # as from a telephone or a camera of 8 kHz
_TELEPHONE_HZ, _NARROW_RATES_HZ = 8000, (8000, 8000, 8000, 6000, 11_025, 12_000)
_MU, _MU_STEPS = 255.0, 127.0  # ITU-T G.711
# A CO alarm sounds for 0.7 s in 5.7, a smoke alarm has two pitches and partly sounds like one: they
# are drawn three times as often
_DRAWN_ALARMS = (*ALARM_SOUNDS, *["co_alarm", "smoke_alarm"] * 2)
_FILTER_HZ = (60.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
_FRAME_SAMPLES = 320  # 20 ms: a patch hop is a whole number of them
_AUDIBLE_DB = 20.0  # below the loudest frame of a sound: what still counts as audible
# The sound in a patch for a target of 1; with less, the target is in proportion: 0.1 s of a smoke alarm
# may just as well be one pulse of a CO alarm, but a bark is a bark
_FULL_SECONDS, _FULL_ALARM_SECONDS = 0.1, 0.3


@dataclass(frozen=True, slots=True)
class Recording:
    """5 s of one of the ten classes: float32 (n,), mono, at SAMPLE_RATE_HZ.

    `name` is the file's stem, `1-100032-A-0`; `fold` is 1 to 5.
    """

    name: str
    label: str
    fold: int
    samples: Samples


def read_recordings(folder: Path) -> list[Recording]:
    """All recordings of `esc10.csv`, in its order.

    Raises:
        DataError: the table or a file is missing, or a category is not one of the ten.
    """
    recordings = []
    for clip in formats.read_esc50(files.read_text_table(folder / TABLE_FILE)).clips:
        (label,) = clip.labels
        if label not in COLUMNS:
            raise DataError(f"{clip.path}: expected one of ESC-10's ten categories, got {label!r}")
        samples = audio.read_audio(clip, SAMPLE_RATE_HZ)
        recordings.append(Recording(clip.path.stem, label, clip.fold, samples))
    return recordings


def read_labelled(folder: Path) -> list[Recording]:
    """Real recordings in subfolders, each named after one of the starter's labels; fold 0.

    Raises:
        DataError: a subfolder of another name, or a file that cannot be read.
    """
    recordings = []
    for subfolder in sorted(path for path in folder.iterdir() if path.is_dir()):
        if subfolder.name not in COLUMNS:
            raise DataError(f"{subfolder}: expected one of {', '.join(COLUMNS)}")
        for path in files.audio_files(subfolder):
            clip = Clip(path, frozenset({subfolder.name}), path.stem, fold=0)
            samples = audio.read_audio(clip, SAMPLE_RATE_HZ)
            recordings.append(Recording(path.stem, subfolder.name, 0, samples))
    return recordings


def background_scenes(minutes: int, seed: int) -> Iterator[Scene]:
    """Scenes of a minute without events: noise at a random level, in every other one knocks and clicks."""
    for minute in range(minutes):
        programme = SceneSpec(
            seconds=BACKGROUND_SECONDS,
            sounds_per_scene=0,
            background_dbfs=BACKGROUND_DBFS,
            backgrounds=(busy_ambience if minute % 2 else ambience,),
        )
        yield random_scene(programme, seed * _SEEDS_APART + minute)


def alarm_scenes(minutes: int, seed: int, snr_db: float = TEST_SNR_DB) -> Iterator[Scene]:
    """Scenes of half a minute with two alarms each at `snr_db`, as of `trainer soundscape`."""
    programme = SceneSpec(seconds=SCENE_SECONDS, snr_db=snr_db, sounds=ALARM_SOUNDS)
    for number in range(minutes * 2):
        yield random_scene(programme, seed * _SEEDS_APART + number)


@dataclass(frozen=True, slots=True)
class Layer:
    """One sound of a strip; `label` None is a background."""

    label: str | None
    samples: Samples


@dataclass(frozen=True, slots=True)
class Strip:
    """A few seconds of mixed sound, float32 (STRIP_SAMPLES,), and targets (PATCHES, K) in [0, 1].

    `unlabelled`: it is real audio in which any of the labels might sound.
    """

    samples: Samples
    targets: NDArray[np.float32]
    unlabelled: bool = False


class StripMaker:
    """Draws strips from recordings, generated alarms, backgrounds and real audio without labels."""

    def __init__(
        self, recordings: Sequence[Recording], real_audio: RealAudio | None = None
    ) -> None:
        self._real = real_audio
        self._by_label = {
            label: [recording for recording in recordings if recording.label == label]
            for label in sorted({recording.label for recording in recordings})
        }

    def draw(self, rng: np.random.Generator) -> Strip:
        """The next strip; the same state of `rng` gives the same one."""
        kind = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
        strip = mix(self._layers(kind, rng), unlabelled=kind == "real" and self._real is not None)
        if not _happens(rng, _BAND_LIMITED_SHARE):
            return strip
        return replace(strip, samples=_band_limited(strip.samples, rng))

    def _layers(self, kind: str, rng: np.random.Generator) -> list[Layer]:
        level = rng.uniform(*_LEVEL_DBFS)
        below = level - rng.uniform(*_SNR_DB)
        if kind == "nothing":
            if _happens(rng, 0.1):
                return [Layer(None, np.zeros(STRIP_SAMPLES, np.float32))]
            return [_background(rng, rng.uniform(_QUIETEST_DBFS, _LEVEL_DBFS[1]))]
        if kind == "real":
            return [self._unlabelled(rng, level)]
        if kind == "alarm":
            real = _happens(rng, 0.4)
            background = self._recording(rng, below) if real else self._unlabelled(rng, below)
            return [_alarm(rng, level), background]
        layers = [self._recording(rng, level)]
        if _happens(rng, 0.2):
            layers.append(self._recording(rng, level + rng.uniform(-10.0, 5.0)))
        if _happens(rng, 0.6):
            layers.append(self._unlabelled(rng, below))
        return layers

    def _unlabelled(self, rng: np.random.Generator, dbfs: float) -> Layer:
        """Real audio seven times in ten, where there is any; else a generated background."""
        if self._real is None or _happens(rng, 0.3):
            return _background(rng, dbfs)
        return Layer(None, at_level(_filtered(self._real.draw(rng), rng), dbfs))

    def _recording(self, rng: np.random.Generator, dbfs: float) -> Layer:
        label = str(rng.choice(list(self._by_label)))
        samples = self._by_label[label][rng.integers(len(self._by_label[label]))].samples
        # faster or slower, with its pitch, by linear interpolation
        positions = np.arange(0.0, len(samples) - 1, rng.uniform(0.85, 1.18))
        samples = np.interp(positions, np.arange(len(samples)), samples).astype(np.float32)
        samples = _reverberated(_filtered(samples, rng), rng)
        shifted = np.roll(np.resize(samples, STRIP_SAMPLES), rng.integers(STRIP_SAMPLES))
        return Layer(label, at_level(shifted, dbfs))


def mix(layers: Sequence[Layer], *, unlabelled: bool = False) -> Strip:
    """The sum of the layers, and for each label the patches in which it is audible."""
    targets = np.zeros((PATCHES, len(COLUMNS)), np.float32)
    for layer in layers:
        if layer.label is not None:
            column = targets[:, COLUMNS[layer.label]]
            full = _FULL_ALARM_SECONDS if layer.label in ALARM_SOUNDS else _FULL_SECONDS
            np.maximum(column, audible_in_patches(layer.samples, full), out=column)
    samples: Samples = np.sum([layer.samples for layer in layers], axis=0, dtype=np.float32)
    return Strip(without_clipping(samples), targets, unlabelled)


def audible_in_patches(samples: Samples, full_seconds: float) -> NDArray[np.float32]:
    """1 for each patch with `full_seconds` within 20 dB of the loudest 20 ms, in proportion below."""
    whole = len(samples) // _FRAME_SAMPLES * _FRAME_SAMPLES
    power = np.mean(np.square(samples[:whole].reshape(-1, _FRAME_SAMPLES)), axis=1)
    audible = (power > 0) & (power >= power.max() * 10 ** (-_AUDIBLE_DB / 10))
    starts = np.arange(PATCHES) * FEATURES.patch_hop_samples // _FRAME_SAMPLES
    count = FEATURES.window_samples // _FRAME_SAMPLES
    frames = np.array([audible[start : start + count].sum() for start in starts])
    seconds = frames * (_FRAME_SAMPLES / SAMPLE_RATE_HZ)
    return np.minimum(1.0, seconds / full_seconds).astype(np.float32)


def _background(rng: np.random.Generator, dbfs: float) -> Layer:
    make = busy_ambience if _happens(rng, 0.4) else ambience
    return Layer(None, at_level(make(STRIP_SECONDS, rng)[:STRIP_SAMPLES], dbfs))


def _alarm(rng: np.random.Generator, dbfs: float) -> Layer:
    """An alarm from a random point of its pattern; one in three begins or ends within the strip."""
    label = str(rng.choice(_DRAWN_ALARMS))
    variants: tuple[Generator, ...] = ALARM_SOUNDS[label]
    samples = variants[rng.integers(len(variants))](3 * STRIP_SECONDS, rng, 1.0)
    start = rng.integers(2 * STRIP_SAMPLES)
    samples = samples[start : start + STRIP_SAMPLES]
    samples = _reverberated(_filtered(samples, rng), rng)
    if _happens(rng, 1 / 3):
        onset, offset = np.sort(rng.integers(STRIP_SAMPLES, size=2))
        window = np.zeros(STRIP_SAMPLES, np.float32)
        window[onset:offset] = 1.0
        samples = samples * window
    return Layer(label, at_level(samples, dbfs))


def _filtered(samples: Samples, rng: np.random.Generator) -> Samples:
    """Every other time with louder and quieter bands, as from another microphone."""
    if not _happens(rng, 0.5):
        return samples
    gain_db = rng.normal(0.0, 3.0, len(_FILTER_HZ))
    spectrum = np.fft.rfft(samples)
    frequency_hz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ)
    spectrum *= 10 ** (np.interp(frequency_hz, _FILTER_HZ, gain_db) / 20)
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def _band_limited(samples: Samples, rng: np.random.Generator) -> Samples:
    """As from a source of a lower rate; of those of 8 kHz, every other time through G.711's mu-law."""
    rate_hz = int(rng.choice(_NARROW_RATES_HZ))
    narrow = soxr.resample(samples, SAMPLE_RATE_HZ, rate_hz)
    if rate_hz == _TELEPHONE_HZ and _happens(rng, 0.5):
        steps = np.round(
            _MU_STEPS * np.sign(narrow) * np.log1p(_MU * np.abs(narrow)) / np.log1p(_MU)
        )
        narrow = np.sign(steps) * np.expm1(np.abs(steps) / _MU_STEPS * np.log1p(_MU)) / _MU
    wide = soxr.resample(narrow, rate_hz, SAMPLE_RATE_HZ)
    return np.clip(np.resize(wide, len(samples)), -1.0, 1.0).astype(np.float32)


def _reverberated(samples: Samples, rng: np.random.Generator) -> Samples:
    """Two times in five with a reverb of up to 0.8 s."""
    if not _happens(rng, 0.4):
        return samples
    wet = reverberate(samples, rng.uniform(0.1, 0.8), rng, rng.uniform(-3.0, 9.0))
    return wet[: len(samples)]


def _happens(rng: np.random.Generator, chance: float) -> bool:
    return bool(rng.uniform() < chance)
