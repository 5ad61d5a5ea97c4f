"""Random scenes: which sounds, when, how loud and over which background."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape import scene
from listener.soundscape.sounds import ALARMS
from listener.soundscape.synthesis import NOISES, STROKES, Generator, sample_times

_STROKE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """What random scenes are made of.

    A scene lasts `seconds` and has `sounds_per_scene` of the `sounds`, one after the other, each between
    `shortest_seconds` and `longest_seconds` long, at `snr_db` over a background whose level is drawn from
    `background_dbfs`. `backgrounds` are sounds that are no events. `reverb_seconds` is the longest RT60;
    for `jitter` see `Generator`.

    Raises:
        ValueError: the sounds do not fit into a scene.
    """

    seconds: float = 30.0
    sounds_per_scene: int = 2
    shortest_seconds: float = 6.0
    longest_seconds: float = 10.0
    snr_db: float = 10.0
    background_dbfs: tuple[float, float] = (-55.0, -35.0)
    reverb_seconds: float = 0.3
    jitter: float = 1.0
    sounds: Mapping[str, tuple[Generator, ...]] = field(default_factory=lambda: ALARMS)
    backgrounds: tuple[Generator, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.sounds_per_scene * self.longest_seconds <= self.seconds:
            raise ValueError(
                f"sounds_per_scene: expected at most {self.seconds / self.longest_seconds:.0f} of "
                f"{self.longest_seconds:g} s in {self.seconds:g} s, got {self.sounds_per_scene}"
            )


def random_scene(spec: SceneSpec, seed: int) -> scene.Scene:
    """One scene; the same seed gives the same samples. Over successive seeds the labels take turns."""
    rng = np.random.default_rng(seed)
    labels = list(spec.sounds)
    first = seed * spec.sounds_per_scene
    turn = [labels[(first + n) % len(labels)] for n in range(spec.sounds_per_scene)]
    sounds = [(sound, _draw(spec.sounds[sound.label], rng)) for sound in _place(turn, spec, rng)]
    return scene.mix_scene(
        sounds,
        spec.seconds,
        snr_db=spec.snr_db,
        background=_draw(spec.backgrounds or (ambience,), rng),
        background_dbfs=rng.uniform(*spec.background_dbfs),
        reverb_seconds=rng.uniform(0.05, 1.0) * spec.reverb_seconds,
        jitter=spec.jitter,
        seed=seed,
    )


def _place(labels: list[str], spec: SceneSpec, rng: np.random.Generator) -> list[scene.PlacedSound]:
    """One after the other; the remaining time is split at random before, between and after them."""
    lengths = rng.uniform(spec.shortest_seconds, spec.longest_seconds, len(labels))
    gaps = rng.dirichlet(np.ones(len(labels) + 1)) * (spec.seconds - lengths.sum())
    onsets = np.cumsum(gaps[:-1]) + np.cumsum(lengths) - lengths
    return [
        scene.PlacedSound(label, round(float(onset), 3), round(float(onset + length), 3))
        for label, onset, length in zip(labels, onsets, lengths, strict=True)
    ]


def ambience(seconds: float, rng: np.random.Generator, _jitter: float = 0.0) -> Samples:
    """A quiet room: noise of a random colour that swells and fades by up to 6 dB."""
    noise = _draw(NOISES, rng)(seconds, rng)
    period = rng.uniform(5.0, 30.0)
    swell_db = rng.uniform(0.0, 6.0) * np.sin(2 * np.pi * sample_times(seconds) / period)
    return scene.without_clipping(noise * (10 ** (swell_db / 20)).astype(np.float32))


def busy_ambience(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """A room with occasional knocks and clicks, 0 to 15 dB over the noise of `ambience`."""
    samples = scene.at_level(ambience(seconds, rng, jitter), -30.0)
    for onset in np.arange(0.0, seconds - _STROKE_SECONDS, 10.0):
        stroke = _draw(STROKES, rng)(_STROKE_SECONDS, rng)
        stroke = scene.at_level(stroke, -30.0 + rng.uniform(0.0, 15.0))
        scene.mix_in(samples, stroke, onset + rng.uniform(0.0, 5.0))
    return scene.without_clipping(samples)


def _draw(choices: tuple[Generator, ...], rng: np.random.Generator) -> Generator:
    return choices[rng.integers(len(choices))]
