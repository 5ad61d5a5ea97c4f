"""Which generated sounds there are, by label."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape.synthesis import (
    Generator,
    brown_noise,
    clicks,
    glide,
    knocks,
    pink_noise,
    pulses,
    sample_times,
    square_tone,
    struck,
    tone,
    vary,
    white_noise,
)

_TIMING_TOLERANCE = 0.1  # ISO 8201 and NFPA 72 allow 10 % for each pulse and pause
_PITCH_TOLERANCE = 0.015  # ITU-T E.180 allows telephone tones that much
_STRIKES_HZ = 20.0  # of the clapper: the ringing current of North American and European lines
_CHIME_HARMONICS = (1.0, 2.0, 3.0)
_HORN = (1, 2, 3, 4)  # harmonics of a siren's loudspeaker


# The alarms of homes: smoke and carbon monoxide.


_Pulse = Callable[[float], Samples]  # seconds -> one pulse


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


# What sounds in a home: doorbell, appliances, telephone.


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


# What vehicles warn with: sirens and reversing beepers.


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


ALARMS: Mapping[str, tuple[Generator, ...]] = {
    "smoke_alarm": (smoke_alarm, low_smoke_alarm),
    "co_alarm": (co_alarm,),
    "siren": (wail, yelp, hi_lo),
    "reversing_beeper": (reversing_beeper,),
    "doorbell": (doorbell,),
    "appliance_beep": (appliance_beep,),
    "telephone": (telephone_bell, busy_signal, dial_tone),
}
NOISES: tuple[Generator, ...] = (white_noise, pink_noise, brown_noise)
STROKES: tuple[Generator, ...] = (knocks, clicks)  # what happens in any room and is no alarm
