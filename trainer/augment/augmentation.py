"""Augmentation: how strongly clips are varied, and one varied copy of a clip."""

from collections.abc import Sequence

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from listener.detection.audio import Samples
from trainer.augment import waveform

Span = tuple[float, float]  # least and most; drawn uniformly between


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Augmentation:
    """How strongly clips are varied; part of the key of every cached embedding.

    A chance is a share of the copies, [0, 1]; gain and shift apply to every copy. The colour of noise is
    its `noise_exponent`, from 0 (white) to 2 (brown).

    Raises:
        ValueError: a chance outside [0, 1], or a span whose least is over its most.
    """

    gain_db: Span = (-6.0, 6.0)
    shift_seconds: float = 0.0  # at most, either way; spans of labels do not move along
    pitch_chance: float = 0.0
    pitch_semitones: float = 2.0  # at most, either way
    speed_chance: float = 0.0
    speed_factor: Span = (0.9, 1.1)
    reverb_chance: float = 0.0
    rt60_seconds: Span = (0.1, 0.8)
    direct_to_reverb_db: Span = (-3.0, 12.0)
    noise_chance: float = 1.0
    noise_exponent: Span = (0.0, 2.0)
    background_chance: float = 0.5  # of the noisy copies, where there are backgrounds
    snr_db: Span = (-5.0, 20.0)

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name.endswith("_chance") and not 0.0 <= value <= 1.0:
                raise ValueError(f"{name}: expected a chance in [0, 1], got {value}")
            if isinstance(value, tuple) and not value[0] <= value[1]:
                raise ValueError(f"{name}: expected least <= most, got {value}")


def augment(
    samples: Samples,
    augmentation: Augmentation,
    sample_rate_hz: int,
    rng: np.random.Generator,
    backgrounds: Sequence[Samples] = (),
) -> Samples:
    """One varied copy of a clip, float32 (n,); only a change of speed changes its length.

    The order is that of the real world: a source sounds in a room, beside other sounds, and is recorded
    at some level.
    """
    if not len(samples):
        return samples
    most = round(augmentation.shift_seconds * sample_rate_hz)
    samples = waveform.shift_time(samples, int(rng.integers(-most, most + 1)))
    if rng.random() < augmentation.pitch_chance:
        semitones = augmentation.pitch_semitones * rng.uniform(-1.0, 1.0)
        samples = waveform.shift_pitch(samples, semitones)
    if rng.random() < augmentation.speed_chance:
        samples = waveform.change_speed(samples, rng.uniform(*augmentation.speed_factor))
    if rng.random() < augmentation.reverb_chance:
        rt60 = rng.uniform(*augmentation.rt60_seconds)
        ratio_db = rng.uniform(*augmentation.direct_to_reverb_db)
        samples = waveform.add_reverb(samples, rt60, ratio_db, sample_rate_hz, rng)
    if rng.random() < augmentation.noise_chance:
        samples = _add_background_or_noise(samples, augmentation, rng, backgrounds)
    return waveform.change_gain(samples, rng.uniform(*augmentation.gain_db))


def _add_background_or_noise(
    samples: Samples,
    augmentation: Augmentation,
    rng: np.random.Generator,
    backgrounds: Sequence[Samples],
) -> Samples:
    snr_db = rng.uniform(*augmentation.snr_db)
    if backgrounds and rng.random() < augmentation.background_chance:
        background = backgrounds[int(rng.integers(len(backgrounds)))]
        return waveform.add_background(samples, background, snr_db, rng)
    return waveform.add_coloured_noise(
        samples, snr_db, rng.uniform(*augmentation.noise_exponent), rng
    )
