"""Noises to test under: colours that the training hears, and kinds that it never does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.soundscape.synthesis import coloured_noise
from trainer.augment.waveform import add_noise

Wave = NDArray[np.float64]
Make = Callable[[int, int, np.random.Generator], Samples]  # samples, Hz -> noise of any level


@dataclass(frozen=True, slots=True)
class Kind:
    """A noise; `seen` if the default augmentation has its like."""

    make: Make
    seen: bool


def add_kind(
    samples: Samples, sample_rate_hz: int, random: np.random.Generator, kind: str, snr_db: float
) -> Samples:
    """A clip under a noise of KINDS."""
    noise = KINDS[kind].make(len(samples), sample_rate_hz, random)
    return add_noise(samples, noise, snr_db)


def _colour(exponent: float) -> Make:
    return lambda count, rate_hz, random: coloured_noise(count / rate_hz, random, exponent)


def _babble(count: int, sample_rate_hz: int, random: np.random.Generator) -> Samples:
    """Six voices: harmonics of a wavering pitch that come and go a few times a second."""
    seconds = np.arange(count) / sample_rate_hz
    voices = np.stack([_voice(seconds, random) for _ in range(6)])
    babble: Samples = voices.sum(axis=0).astype(np.float32)
    return babble


def _voice(seconds: Wave, random: np.random.Generator) -> Wave:
    waver = 1 + 0.08 * np.sin(2 * np.pi * random.uniform(2, 5) * seconds + random.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(random.uniform(90, 240) * waver) * (seconds[1] - seconds[0])
    syllables = np.sin(2 * np.pi * random.uniform(2, 6) * seconds + random.uniform(0, 6))
    tone = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 18))
    voice: Wave = tone * np.maximum(syllables, 0.0)
    return voice


KINDS = {
    "pink noise": Kind(_colour(1.0), seen=True),
    "blue noise": Kind(_colour(-1.0), seen=False),
    "babble": Kind(_babble, seen=False),
}
