"""What vehicles warn with: sirens and reversing beepers."""

from __future__ import annotations

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape.waves import (
    glide,
    pulses,
    sample_times,
    square_tone,
    tone,
    vary,
)

_HORN = (1, 2, 3, 4)  # harmonics of a siren's loudspeaker


def wail(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The slow siren of SAE J1849: 10 to 30 sweeps a minute, here 20 with jitter 50 %."""
    return _sweeps(vary(20.0, 0.5, rng, jitter), seconds, rng, jitter)


def yelp(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The fast siren of SAE J1849: 150 to 250 sweeps a minute, here 200 with jitter 25 %."""
    return _sweeps(vary(200.0, 0.25, rng, jitter), seconds, rng, jitter)


def hi_lo(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The two-tone horn of DIN 14610: a fourth apart, low to high twice in 3 s (jitter 0.5 s).

    The low tone is 435 Hz, jitter 17 %: the standard's 360 Hz and up.
    """
    low_hz = vary(435.0, 0.17, rng, jitter)
    each = vary(3.0, 1 / 6, rng, jitter) / 4
    horns = [square_tone(low_hz, each), square_tone(low_hz * 4 / 3, each)]
    return pulses([(horn, 0.0) for horn in horns], seconds)


def reversing_beeper(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The tonal back-up alarm of SAE J994: half a second on and off at 1.25 kHz.

    The standard allows 700 to 2800 Hz; the usual one is at 1 to 1.5 kHz: jitter 20 %, times 15 %.
    """
    pitch_hz = vary(1250.0, 0.2, rng, jitter)
    on, off = vary(0.5, 0.15, rng, jitter), vary(0.5, 0.15, rng, jitter)
    return pulses([(tone([pitch_hz], on), off)], seconds)


def _sweeps(
    cycles_a_minute: float, seconds: float, rng: np.random.Generator, jitter: float
) -> Samples:
    """Up and down between 650 and 1450 Hz, jitter 15 %, from a random point of the sweep if jittered."""
    low_hz, high_hz = vary(650.0, 0.15, rng, jitter), vary(1450.0, 0.15, rng, jitter)
    cycle = sample_times(seconds) * cycles_a_minute / 60 + jitter * rng.uniform()
    height = 0.5 - 0.5 * np.cos(2 * np.pi * cycle)
    return glide(low_hz * (high_hz / low_hz) ** height, _HORN)
