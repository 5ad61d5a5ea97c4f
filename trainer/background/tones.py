"""Generated beeps, tones and melodies: what is none of a sound that was taught by takes alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape import scene, synthesis

SECONDS = 3.0  # of each
_PITCH_HZ = (250.0, 4_000.0)  # drawn evenly in octaves
_NOTE_SECONDS, _PAUSE_SECONDS = (0.08, 0.8), (0.02, 0.5)
_MOST_NOTES = 5  # until a melody begins again
_HARMONICS = 4  # at most
_DECAY_SECONDS = (0.3, 2.0)  # of the struck ones
_RT60_SECONDS, _DIRECT_TO_TAIL_DB = (0.1, 0.6), (0.0, 12.0)
_FRAME = 4096  # samples of a spectrum, 0.26 s: about as long as a note
_STRONG_DB = 20.0  # below the strongest pitch: others are overtones or the room
_SEMITONE = 2.0 ** (1 / 12) - 1.0
_LEVEL_DBFS, _NOISE_DBFS = (-45.0, -10.0), (-70.0, -45.0)


def generate_tones(count: int, seed: int, pitches_hz: Sequence[float] = ()) -> list[Samples]:
    """Half of them beeps of one pitch, half melodies; in rooms, over noise; float32 (n,) at 16 kHz.

    With pitches, all are beeps of one of them, or nearly.
    """
    generators = [np.random.default_rng([seed, number]) for number in range(count)]
    return [_in_a_room(_notes(random, pitches_hz), random) for random in generators]


def strongest_pitches(sounds: Sequence[Samples]) -> list[float]:
    """What stands out of the mean spectrum of sounds at 16 kHz, in Hz, the strongest first."""
    power = np.zeros(_FRAME // 2 + 1)
    for sound in sounds:
        padded = np.pad(sound, (0, max(_FRAME - len(sound), 0)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[:: _FRAME // 2]
        power += np.square(np.abs(np.fft.rfft(frames * np.hanning(_FRAME)))).mean(axis=0)
    hz = np.fft.rfftfreq(_FRAME, 1 / synthesis.SAMPLE_RATE_HZ)
    power[(hz < _PITCH_HZ[0]) | (hz > _PITCH_HZ[1])] = 0.0
    least = power.max() * 10.0 ** (-_STRONG_DB / 10.0)
    found: list[float] = []
    while len(found) < _MOST_NOTES and power.max() >= least > 0.0:
        found.append(float(hz[power.argmax()]))
        power[np.abs(hz / found[-1] - 1.0) < _SEMITONE] = 0.0
    return found


def _notes(random: np.random.Generator, pitches_hz: Sequence[float]) -> Samples:
    one_pitch, is_struck = random.random(2) < 0.5  # noqa: PLR2004 - half of them
    harmonics = range(1, 1 + int(random.integers(1, _HARMONICS, endpoint=True)))
    pitches = [float(np.exp(random.uniform(*np.log(_PITCH_HZ))))]
    if pitches_hz:
        one_pitch = True
        pitches = [float(random.choice(pitches_hz)) * random.uniform(1 - _SEMITONE, 1 + _SEMITONE)]
    if not one_pitch:
        steps = random.integers(-12, 12, int(random.integers(1, _MOST_NOTES)), endpoint=True)
        pitches += [pitches[0] * 2.0 ** (step / 12.0) for step in steps.tolist()]
    seconds, pause = random.uniform(*_NOTE_SECONDS), random.uniform(*_PAUSE_SECONDS)
    notes = []
    for pitch in pitches:
        note: Samples = synthesis.glide(np.full(synthesis.sample_count(seconds), pitch), harmonics)
        if is_struck:
            decay = random.uniform(*_DECAY_SECONDS)
            fall = 10.0 ** (-3.0 * synthesis.sample_times(seconds) / decay)
            note = (note * fall).astype(np.float32)
        notes.append((note, pause if one_pitch else pause * random.random()))
    return synthesis.pulses(notes, random.uniform(1.0, SECONDS))


def _in_a_room(sound: Samples, random: np.random.Generator) -> Samples:
    wet = scene.reverberate(
        sound, random.uniform(*_RT60_SECONDS), random, random.uniform(*_DIRECT_TO_TAIL_DB)
    )
    samples = scene.at_level(
        synthesis.coloured_noise(SECONDS, random, 1.0), random.uniform(*_NOISE_DBFS)
    )
    scene.mix_in(samples, scene.at_level(wet, random.uniform(*_LEVEL_DBFS)), 0.0)
    return samples
