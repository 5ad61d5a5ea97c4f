"""The alarms of homes: smoke and carbon monoxide."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape.waves import pulses, square_tone, tone, vary

_Pulse = Callable[[float], Samples]  # seconds -> one pulse
_TIMING_TOLERANCE = 0.1  # ISO 8201 and NFPA 72 allow 10 % for each pulse and pause


def smoke_alarm(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The temporal-three pattern of ISO 8201 and NFPA 72: three half-second pulses, a pause of 1.5 s.

    3150 Hz is the usual pitch of a domestic alarm's piezo sounder; jitter: pitch and times 10 %.
    """
    pitch_hz = vary(3150.0, 0.1, rng, jitter)
    return _temporal_three(lambda pulse: tone([pitch_hz], pulse), seconds, rng, jitter)


def low_smoke_alarm(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The same pattern as a square wave of 520 Hz, 10 % either way, as NFPA 72 wants for bedrooms."""
    pitch_hz = vary(520.0, 0.1, rng, jitter)
    return _temporal_three(lambda pulse: square_tone(pitch_hz, pulse), seconds, rng, jitter)


def co_alarm(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The temporal-four pattern of NFPA 720 and UL 2034: four pulses of 0.1 s, a pause of 5 s.

    The pulses are 0.1 s apart; 3150 Hz as for smoke; jitter: pitch and times 10 %.
    """
    pitch_hz = vary(3150.0, 0.1, rng, jitter)
    pulse, between, pause = _timing((0.1, 0.1, 5.0), rng, jitter)
    sound = tone([pitch_hz], pulse)
    return pulses([(sound, between)] * 3 + [(sound, pause)], seconds)


def _temporal_three(
    sound: _Pulse, seconds: float, rng: np.random.Generator, jitter: float
) -> Samples:
    pulse, between, pause = _timing((0.5, 0.5, 1.5), rng, jitter)
    return pulses(
        [(sound(pulse), between), (sound(pulse), between), (sound(pulse), pause)], seconds
    )


def _timing(
    nominal: tuple[float, ...], rng: np.random.Generator, jitter: float
) -> tuple[float, ...]:
    return tuple(vary(length, _TIMING_TOLERANCE, rng, jitter) for length in nominal)
