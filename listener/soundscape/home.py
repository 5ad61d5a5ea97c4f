"""What sounds in a home: doorbell, appliances, telephone."""

from __future__ import annotations

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape.waves import pulses, struck, tone, vary

_PITCH_TOLERANCE = 0.015  # ITU-T E.180 allows telephone tones that much
_STRIKES_HZ = 20.0  # of the clapper: the ringing current of North American and European lines
_CHIME_HARMONICS = (1.0, 2.0, 3.0)


def doorbell(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """Ding-dong, a falling major third (659 and 523 Hz), again every 4 s. There is no standard.

    Jitter: pitch 20 %, times 25 %.
    """
    high_hz = vary(659.0, 0.2, rng, jitter)
    ding, dong = vary(0.7, 0.25, rng, jitter), vary(1.6, 0.25, rng, jitter)
    first, second = (
        struck([harmonic * hz for harmonic in _CHIME_HARMONICS], 1.5, length)
        for hz, length in ((high_hz, ding), (high_hz * 4 / 5, dong))
    )
    return pulses([(first, 0.0), (second, max(0.5, 4.0 - ding - dong))], seconds)


def appliance_beep(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The end signal of a microwave or washing machine: three beeps of 0.2 s at 2.1 kHz, every 2 s.

    ISO 24500 wants at most 2.5 kHz of consumer products. Jitter: pitch 15 %, times 25 %.
    """
    pitch_hz = vary(2100.0, 0.15, rng, jitter)
    on, off = vary(0.2, 0.25, rng, jitter), vary(0.2, 0.25, rng, jitter)
    beep = tone([pitch_hz], on)
    return pulses([(beep, off), (beep, off), (beep, vary(1.0, 0.25, rng, jitter))], seconds)


def busy_signal(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The North American busy tone (ITU-T E.180): 480 and 620 Hz, half a second on and off."""
    on, off = vary(0.5, 0.1, rng, jitter), vary(0.5, 0.1, rng, jitter)
    return pulses([(_line_tone((480.0, 620.0), on, rng, jitter), off)], seconds)


def dial_tone(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The North American dial tone (ITU-T E.180): 350 and 440 Hz without a pause."""
    return _line_tone((350.0, 440.0), seconds, rng, jitter)


def telephone_bell(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """Two gongs and a clapper at the 20 Hz of the ringing current, 2 s, then 4 s of pause.

    The cadence is North America's (ITU-T E.180); the gongs' pitch has no standard. Jitter: pitch 15 %,
    times 10 %.
    """
    gongs_hz = vary(1400.0, 0.15, rng, jitter), vary(1700.0, 0.15, rng, jitter)
    strike = 1 / vary(_STRIKES_HZ, 0.1, rng, jitter)
    ring, pause = vary(2.0, 0.1, rng, jitter), vary(4.0, 0.1, rng, jitter)
    strokes = [(struck([hz, 2.8 * hz], 0.3, strike), 0.0) for hz in gongs_hz]
    return pulses([(pulses(strokes, ring), pause)], seconds)


def _line_tone(
    pair_hz: tuple[float, ...], seconds: float, rng: np.random.Generator, jitter: float
) -> Samples:
    return tone([vary(hz, _PITCH_TOLERANCE, rng, jitter) for hz in pair_hz], seconds)
