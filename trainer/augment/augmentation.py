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
    its `noise_exponent`, from 0 (white) to 2 (brown). Far copies have less of what is above `far_hz`,
    reverb of `far_direct_to_reverb_db` in place of the other reverb, and are softer by `far_loss_db`.
    Band-limited copies have nothing above `band_hz`, and of them `band_coded_chance` have few bits.

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
    far_chance: float = 0.2  # this and band_chance: docs/decisions/0068
    far_hz: Span = (1_000.0, 4_000.0)
    far_direct_to_reverb_db: Span = (-9.0, 0.0)
    far_loss_db: Span = (6.0, 18.0)
    noise_chance: float = 1.0
    noise_exponent: Span = (0.0, 2.0)
    background_chance: float = 0.5  # of the noisy copies, where there are backgrounds
    snr_db: Span = (-5.0, 20.0)
    band_chance: float = 0.4
    band_hz: Span = (3_300.0, 4_000.0)
    band_coded_chance: float = 0.75
    band_bits: tuple[int, int] = (5, 8)

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

    The order is that of the real world: a source sounds in a room, beside other sounds, is recorded at some
    level, and sent by some codec.
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
    far = rng.random() < augmentation.far_chance
    if far:
        samples = waveform.soften(samples, rng.uniform(*augmentation.far_hz), sample_rate_hz)
    if far or rng.random() < augmentation.reverb_chance:
        rt60 = rng.uniform(*augmentation.rt60_seconds)
        ratios = augmentation.far_direct_to_reverb_db if far else augmentation.direct_to_reverb_db
        samples = waveform.add_reverb(samples, rt60, rng.uniform(*ratios), sample_rate_hz, rng)
    if rng.random() < augmentation.noise_chance:
        samples = _add_background_or_noise(samples, augmentation, rng, backgrounds)
    gain_db = rng.uniform(*augmentation.gain_db)
    if far:
        gain_db -= rng.uniform(*augmentation.far_loss_db)
    samples = waveform.change_gain(samples, gain_db)
    if rng.random() < augmentation.band_chance:
        limit_hz = rng.uniform(*augmentation.band_hz)
        coded = rng.random() < augmentation.band_coded_chance
        bits = int(rng.integers(*augmentation.band_bits, endpoint=True)) if coded else 0
        samples = waveform.limit_band(samples, limit_hz, sample_rate_hz, bits)
    return samples


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
