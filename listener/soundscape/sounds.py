"""The generated sounds: alarms of the home, doorbell, appliance, telephone and vehicles, by label."""

from collections.abc import Callable, Mapping

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape import synthesis
from listener.soundscape import synthesis as synth

_TIMING_TOLERANCE = 0.1  # ISO 8201 and NFPA 72 allow 10 % for each pulse and pause
_PITCH_TOLERANCE = 0.015  # ITU-T E.180 allows telephone tones that much
_STRIKES_HZ = 20.0  # the ringing current of North American lines moves the clapper
_CHIME_HARMONICS = (1.0, 2.0, 3.0)
_SIREN_HARMONICS = (1, 2, 3, 4)


def smoke_alarm(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The temporal-three pattern of ISO 8201 and NFPA 72: three half-second pulses, a pause of 1.5 s.

    3150 Hz is the usual pitch of a domestic alarm's piezo sounder. Jitter: pitch and times 10 %.
    """
    pitch_hz = synth.vary(3150.0, 0.1, rng, jitter)
    return _temporal_three(lambda pulse: synth.tone([pitch_hz], pulse), seconds, rng, jitter)


def low_smoke_alarm(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The same pattern as a square wave of 520 Hz, which NFPA 72 requires in bedrooms. Jitter: 10 %."""
    pitch_hz = synth.vary(520.0, 0.1, rng, jitter)
    return _temporal_three(lambda pulse: synth.square_tone(pitch_hz, pulse), seconds, rng, jitter)


def co_alarm(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The temporal-four pattern of NFPA 720 and UL 2034: four pulses of 0.1 s, a pause of 5 s.

    The pulses are 0.1 s apart, at 3150 Hz as for smoke. Jitter: pitch and times 10 %.
    """
    pitch_hz = synth.vary(3150.0, 0.1, rng, jitter)
    pulse, between, pause = _timing((0.1, 0.1, 5.0), rng, jitter)
    sound = synth.tone([pitch_hz], pulse)
    return synth.pulses([(sound, between)] * 3 + [(sound, pause)], seconds)


def _temporal_three(
    sound: Callable[[float], Samples], seconds: float, rng: np.random.Generator, jitter: float
) -> Samples:
    """Pulses that `sound` makes at a given length."""
    pulse, between, pause = _timing((0.5, 0.5, 1.5), rng, jitter)
    return synth.pulses([(sound(pulse), between)] * 2 + [(sound(pulse), pause)], seconds)


def _timing(
    nominal: tuple[float, ...], rng: np.random.Generator, jitter: float
) -> tuple[float, ...]:
    return tuple(synth.vary(length, _TIMING_TOLERANCE, rng, jitter) for length in nominal)


def doorbell(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """Ding-dong, a falling major third (659 and 523 Hz), every 4 s; there is no standard.

    Jitter: pitch 20 %, times 25 %.
    """
    high_hz = synth.vary(659.0, 0.2, rng, jitter)
    ding, dong = synth.vary(0.7, 0.25, rng, jitter), synth.vary(1.6, 0.25, rng, jitter)
    first, second = (
        synth.struck([harmonic * hz for harmonic in _CHIME_HARMONICS], 1.5, length)
        for hz, length in ((high_hz, ding), (high_hz * 4 / 5, dong))
    )
    return synth.pulses([(first, 0.0), (second, max(0.5, 4.0 - ding - dong))], seconds)


def appliance_beep(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The end signal of a microwave or washing machine: three beeps of 0.2 s at 2.1 kHz, every 2 s.

    ISO 24500 limits consumer products to 2.5 kHz. Jitter: pitch 15 %, times 25 %.
    """
    pitch_hz = synth.vary(2100.0, 0.15, rng, jitter)
    on, off = synth.vary(0.2, 0.25, rng, jitter), synth.vary(0.2, 0.25, rng, jitter)
    beep = synth.tone([pitch_hz], on)
    return synth.pulses(
        [(beep, off), (beep, off), (beep, synth.vary(1.0, 0.25, rng, jitter))], seconds
    )


def busy_signal(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The North American busy tone (ITU-T E.180): 480 and 620 Hz, half a second on and off."""
    on, off = synth.vary(0.5, 0.1, rng, jitter), synth.vary(0.5, 0.1, rng, jitter)
    return synth.pulses([(_line_tone((480.0, 620.0), on, rng, jitter), off)], seconds)


def dial_tone(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The continuous North American dial tone (ITU-T E.180): 350 and 440 Hz."""
    return _line_tone((350.0, 440.0), seconds, rng, jitter)


def telephone_bell(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """Two gongs struck at the 20 Hz of the ringing current for 2 s, then a pause of 4 s.

    The cadence is North American (ITU-T E.180); the pitch of the gongs has no standard. Jitter: pitch
    15 %, times 10 %.
    """
    gongs_hz = synth.vary(1400.0, 0.15, rng, jitter), synth.vary(1700.0, 0.15, rng, jitter)
    strike = 1 / synth.vary(_STRIKES_HZ, 0.1, rng, jitter)
    ring, pause = synth.vary(2.0, 0.1, rng, jitter), synth.vary(4.0, 0.1, rng, jitter)
    strokes = [(synth.struck([hz, 2.8 * hz], 0.3, strike), 0.0) for hz in gongs_hz]
    return synth.pulses([(synth.pulses(strokes, ring), pause)], seconds)


def _line_tone(
    pair_hz: tuple[float, ...], seconds: float, rng: np.random.Generator, jitter: float
) -> Samples:
    return synth.tone([synth.vary(hz, _PITCH_TOLERANCE, rng, jitter) for hz in pair_hz], seconds)


def wail(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The slow siren of SAE J1849: 10 to 30 sweeps a minute, here 20 with jitter 50 %."""
    return _sweeps(synth.vary(20.0, 0.5, rng, jitter), seconds, rng, jitter)


def yelp(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The fast siren of SAE J1849: 150 to 250 sweeps a minute, here 200 with jitter 25 %."""
    return _sweeps(synth.vary(200.0, 0.25, rng, jitter), seconds, rng, jitter)


def hi_lo(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The two-tone horn of DIN 14610: a fourth apart, low to high twice in 3 s (jitter 0.5 s).

    The low tone is at 435 Hz, with a jitter of 17 %: the standard starts at 360 Hz.
    """
    low_hz = synth.vary(435.0, 0.17, rng, jitter)
    each = synth.vary(3.0, 1 / 6, rng, jitter) / 4
    horns = [synth.square_tone(low_hz, each), synth.square_tone(low_hz * 4 / 3, each)]
    return synth.pulses([(horn, 0.0) for horn in horns], seconds)


def reversing_beeper(seconds: float, rng: np.random.Generator, jitter: float = 0.0) -> Samples:
    """The tonal back-up alarm of SAE J994: half a second on and off at 1.25 kHz.

    The standard allows 700 to 2800 Hz; 1 to 1.5 kHz is usual. Jitter: pitch 20 %, times 15 %.
    """
    pitch_hz = synth.vary(1250.0, 0.2, rng, jitter)
    on, off = synth.vary(0.5, 0.15, rng, jitter), synth.vary(0.5, 0.15, rng, jitter)
    return synth.pulses([(synth.tone([pitch_hz], on), off)], seconds)


def _sweeps(
    cycles_a_minute: float, seconds: float, rng: np.random.Generator, jitter: float
) -> Samples:
    """Up and down between 650 and 1450 Hz; jitter: pitch 15 %, and where in the sweep it starts."""
    low_hz, high_hz = synth.vary(650.0, 0.15, rng, jitter), synth.vary(1450.0, 0.15, rng, jitter)
    cycle = synth.sample_times(seconds) * cycles_a_minute / 60 + jitter * rng.uniform()
    height = 0.5 - 0.5 * np.cos(2 * np.pi * cycle)
    return synth.glide(low_hz * (high_hz / low_hz) ** height, _SIREN_HARMONICS)


ALARMS: Mapping[str, tuple[synthesis.Generator, ...]] = {
    "smoke_alarm": (smoke_alarm, low_smoke_alarm),
    "co_alarm": (co_alarm,),
    "siren": (wail, yelp, hi_lo),
    "reversing_beeper": (reversing_beeper,),
    "doorbell": (doorbell,),
    "appliance_beep": (appliance_beep,),
    "telephone": (telephone_bell, busy_signal, dial_tone),
}
