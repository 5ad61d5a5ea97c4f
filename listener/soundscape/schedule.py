"""Scenes drawn at random: which sound, when, how loud, over what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape.scene import PlacedSound, Scene, at_level, mix_scene, without_clipping
from listener.soundscape.sounds import ALARMS, NOISES, STROKES
from listener.soundscape.synthesis import Generator, sample_count, sample_times

_STROKE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Programme:
    """What random scenes are made of.

    Every scene lasts `seconds` and has `sounds_per_scene` of the `sounds`, one after the other, each
    between `shortest_seconds` and `longest_seconds`, at `snr_db` over a background whose level is drawn
    from `background_dbfs`. `backgrounds` are sounds that are no events. `reverb_seconds` is the longest
    RT60; `jitter` see `Generator`.

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


def random_scene(programme: Programme, seed: int) -> Scene:
    """One scene of the programme; the same seed gives the same samples."""
    rng = np.random.default_rng(seed)
    labels = _draw_labels(programme, seed)
    placed = _place(labels, programme, rng)
    sounds = [(sound, _draw(programme.sounds[sound.label], rng)) for sound in placed]
    return mix_scene(
        sounds,
        programme.seconds,
        snr_db=programme.snr_db,
        background=_draw(programme.backgrounds or (ambience,), rng),
        background_dbfs=rng.uniform(*programme.background_dbfs),
        reverb_seconds=rng.uniform(0.05, 1.0) * programme.reverb_seconds,
        jitter=programme.jitter,
        seed=seed,
    )


def ambience(seconds: float, rng: np.random.Generator, _jitter: float = 0.0) -> Samples:
    """A room in which nothing happens: noise of a drawn colour that swells and fades by up to 6 dB."""
    noise = _draw(NOISES, rng)(seconds, rng)
    period = rng.uniform(5.0, 30.0)
    swell_db = rng.uniform(0.0, 6.0) * np.sin(2 * np.pi * sample_times(seconds) / period)
    return without_clipping(noise * (10 ** (swell_db / 20)).astype(np.float32))


def busy_ambience(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The same with knocks and clicks now and then, 0 to 15 dB over the noise."""
    samples = at_level(ambience(seconds, rng, jitter), -30.0)
    for onset in np.arange(0.0, seconds - _STROKE_SECONDS, 10.0):
        stroke = at_level(_draw(STROKES, rng)(_STROKE_SECONDS, rng), -30.0 + rng.uniform(0.0, 15.0))
        start = sample_count(onset + rng.uniform(0.0, 5.0))
        room = samples[start : start + len(stroke)]
        room += stroke[: len(room)]
    return without_clipping(samples)


def _draw_labels(programme: Programme, seed: int) -> list[str]:
    """All labels in turn from scene to scene, so that few scenes hold each as often as any other."""
    count, labels = programme.sounds_per_scene, list(programme.sounds)
    first = seed * count
    return [labels[(first + number) % len(labels)] for number in range(count)]


def _place(labels: list[str], programme: Programme, rng: np.random.Generator) -> list[PlacedSound]:
    """One after the other, the time that is left shared out at random before, between and after."""
    lengths = rng.uniform(programme.shortest_seconds, programme.longest_seconds, len(labels))
    gaps = rng.dirichlet(np.ones(len(labels) + 1)) * (programme.seconds - lengths.sum())
    onsets = np.cumsum(gaps[:-1]) + np.cumsum(lengths) - lengths
    return [
        PlacedSound(label, round(float(onset), 3), round(float(onset + length), 3))
        for label, onset, length in zip(labels, onsets, lengths, strict=True)
    ]


def _draw(choices: tuple[Generator, ...], rng: np.random.Generator) -> Generator:
    return choices[rng.integers(len(choices))]
