"""New labels whose takes sound alike: wider copies to learn from, and other tones, which they are not."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.features import log_mel_patches
from listener.soundscape import synthesis
from trainer.augment import waveform
from trainer.augment.augmentation import Augmentation
from trainer.background.bank import find_bank
from trainer.data.activity import cached_levels
from trainer.data.alike import ALIKE_DISTANCE, BELOW_LOUDEST_DB, loudest, takes_spread
from trainer.data.audio import read_audio
from trainer.data.cache import Entry, make_key
from trainer.data.clips import BACKGROUND, Clip
from trainer.data.patches import EmbeddedTable
from trainer.retraining.correction import Component
from trainer.retraining.rows import RowBuilder, varied_copies
from trainer.training.sampling import Embeddings
from trainer.training.training_set import leave_out_likenesses

log = logging.getLogger(__name__)

# The median distance of five takes of one sound, each from elsewhere in a room: three in four are under it.
# Of five recordings of a class of ESC-10, one in twenty. See docs/decisions/0078.
WIDENED_DISTANCE = 0.09
COPIES = 8  # of each take
# A machine sounds the same each time; the room, the place of the microphone and the noise differ.
WIDE = Augmentation(
    gain_db=(-12.0, 6.0),
    shift_seconds=0.24,  # half the hop between two patches, so the spans of labels still hold
    pitch_chance=0.3,
    pitch_semitones=0.3,
    speed_chance=0.3,
    speed_factor=(0.98, 1.02),
    reverb_chance=0.7,
    rt60_seconds=(0.1, 0.6),
    direct_to_reverb_db=(0.0, 12.0),
    snr_db=(5.0, 30.0),
    band_chance=0.2,
)
TONES, HELD_TONES = 600, 120  # how many are made, and how many of them set thresholds
OWN_TONES, HELD_OWN = 300, 60  # near the pitches of the takes; each is learnt twice
TONES_SHARE = 0.4  # beside the shares of training_set.py
TONE_SECONDS = 3.0
_PITCH_HZ = (250.0, 4_000.0)  # drawn evenly in octaves
_NOTE_SECONDS, _PAUSE_SECONDS = (0.08, 0.8), (0.02, 0.5)
_MOST_NOTES = 5  # until a melody begins again
_HARMONICS = 4  # at most
_DECAY_SECONDS = (0.3, 2.0)  # of the struck ones
_RT60_TENTHS, _DIRECT_TO_REVERB_DB = (1, 6), (0.0, 12.0)  # the FFT is fast at round lengths
_FRAME = 4096  # samples of a spectrum, 0.26 s: about as long as a note
_STRONG_DB = 20.0  # below the strongest pitch: others are overtones or the room
_SEMITONE = 2.0 ** (1 / 12)
_NEAR_SEMITONES = 3.0  # either way: a beep on a note, and one beside it
_PEAK_DBFS = (-40.0, -6.0)
_NOISE_GAIN_DB = (-60.0, -35.0)  # of noise at -12 dBFS
_AS_NEAR = 2.0  # times the distance between the takes: a tone in it may be the sound itself


@dataclass(frozen=True, slots=True)
class Widening:
    """The new labels whose takes sound alike, and what was made for them.

    `copies` are of the clips with such a label, and `clear` tells which of their patches are learnt, see
    `clear_patches`. `tones` are rows that are none of these labels, and `held_tones` and `held_bank` clips
    of other sounds that nothing is trained on, (patches, D) each.
    """

    labels: tuple[str, ...] = ()
    copies: tuple[EmbeddedTable, ...] = ()
    clear: Mapping[Clip, NDArray[np.bool_]] = field(default_factory=dict)
    tones: Component | None = None
    held_tones: tuple[Embeddings, ...] = ()
    held_bank: tuple[Embeddings, ...] = ()

    def copies_of(self, clip: Clip) -> list[tuple[EmbeddedTable, int]]:
        """The wide copies of a clip, each as a table and the place in it."""
        return [
            (table, index)
            for table in self.copies
            for index, each in enumerate(table.clips)
            if each.clip == clip
        ]


def widen(
    builder: RowBuilder,
    judged: EmbeddedTable,
    new_labels: Sequence[str],
    backgrounds: Sequence[Clip],
) -> Widening:
    """Find the new labels whose takes sound alike; make copies of these and the tones that they are not.

    Raises:
        DataError: a clip can no longer be read, or the cache cannot be written.
    """
    spreads = {label: takes_spread(judged, label) for label in new_labels}
    alike = {
        label: spread
        for label, spread in spreads.items()
        if spread is not None and spread < WIDENED_DISTANCE
    }
    if not alike:
        return Widening()
    for label, spread in alike.items():
        log.info(
            "class %s: its takes sound alike (distance %.3f): widened by %d copies of each, in other "
            "rooms, at other levels, in noise; other tones are none of it",
            label,
            spread,
            COPIES,
        )
    clips = tuple(each for each in judged.table.clips if each.labels & set(alike))
    recipe = replace(builder.recipe, augmentation=WIDE, copies=COPIES)
    copies = [
        builder.embed(replace(judged.table, clips=clips), each, f"embedding wide copy {number}")
        for number, each in enumerate(varied_copies(builder, backgrounds, recipe), start=1)
    ]
    random, own = _embed_tones(builder), _embed_own_pitches(builder, clips)
    others = np.concatenate((random[HELD_TONES:], own[HELD_OWN:], own[HELD_OWN:]))
    learnt = others[unlike(others, judged, alike)]
    others = np.concatenate((random[:HELD_TONES], own[:HELD_OWN]))
    held = others[unlike(others, judged, alike)]
    bank = find_bank(builder.backbone)
    real = () if bank is None else leave_out_likenesses(bank.split()[1], judged).by_clip()
    clear = {
        each.clip: clear_patches(judged, place, own[HELD_OWN:])
        for place, each in enumerate(judged.clips)
        if each.clip in clips
    }
    return Widening(
        tuple(alike),
        tuple(copies),
        clear,
        tone_rows(builder, learnt, list(alike)) if len(learnt) else None,
        tuple(held),
        real,
    )


def tone_rows(builder: RowBuilder, tones: Embeddings, alike: Sequence[str]) -> Component:
    """Tones that are none of these labels; of other new labels nothing is known."""
    rows = builder.base_rows_of(np.concatenate(tones[:, :: builder.stride]), without_new=True)
    if BACKGROUND not in builder.columns:  # softmax: all are known or none
        said = builder.in_base | np.isin(builder.columns, alike)
        rows = rows._replace(known=rows.known * said.astype(np.float32))
    return Component(rows, TONES_SHARE)


def _embed_tones(builder: RowBuilder) -> Embeddings:
    """All tones, (TONES, patches, D); the cache keeps them as one entry."""
    backbone, seed = builder.backbone, builder.recipe.seed
    made_by = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    key = make_key({"tones": [TONES, seed, made_by], "backbone": backbone.id})
    entry = builder.cache.load(key)
    if entry is None:
        sounds = generate_tones(TONES, seed)
        embedded = [backbone.embed(log_mel_patches(each, backbone.features)) for each in sounds]
        entry = Entry(np.concatenate(embedded), TONES * TONE_SECONDS)
        builder.cache.store(key, entry)
    return entry.embeddings.reshape(TONES, -1, entry.embeddings.shape[1])


def _embed_own_pitches(builder: RowBuilder, clips: Sequence[Clip]) -> Embeddings:
    """Beeps and melodies near the takes' pitches, (OWN_TONES, patches, D): a melody is not its notes."""
    features = builder.backbone.features
    rate_hz = features.sample_rate_hz
    sounds = [
        read_audio(clip, rate_hz)[round(span.onset * rate_hz) : round(span.offset * rate_hz)]
        for clip in clips
        for span in clip.spans
    ]
    sounds = sounds or [read_audio(clip, rate_hz) for clip in clips]
    tones = generate_tones(OWN_TONES, builder.recipe.seed, strongest_pitches(sounds))
    return np.stack([builder.backbone.embed(log_mel_patches(each, features)) for each in tones])


def unlike(
    tones: Embeddings, judged: EmbeddedTable, alike: Mapping[str, float]
) -> NDArray[np.int64]:
    """The numbers of the tones that are none of the labels: not as near to a take as takes are."""
    means = tones.mean(axis=1)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)
    kept = np.ones(len(tones), np.bool_)
    for label, spread in alike.items():
        places = [at for at, each in enumerate(judged.clips) if label in each.clip.labels]
        takes = np.stack([loudest(judged, place) for place in places])
        near = max(_AS_NEAR * spread, ALIKE_DISTANCE)
        kept &= 1.0 - (means @ takes.T).max(axis=1) > near
    return np.flatnonzero(kept)


def clear_patches(judged: EmbeddedTable, index: int, beeps: Embeddings) -> NDArray[np.bool_]:
    """The patches of a take that show what it is, (patches,): the loud half that is least like beeps.

    A patch that holds one note of a melody is a beep of that pitch; one that holds the room alone, because
    people mark a sound roughly, is no sound at all. `beeps` have the pitches of the takes.
    """
    levels, patches = cached_levels(judged.clips[index], judged), judged.load(index).inputs
    loud = levels[: len(patches)] >= levels.max() - BELOW_LOUDEST_DB
    both = [patches, np.concatenate(beeps)]
    units = [each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-6) for each in both]
    nearness = (units[0] @ units[1].T).max(axis=1)
    clear: NDArray[np.bool_] = loud & (nearness <= np.median(nearness[loud]))
    return clear


def generate_tones(count: int, seed: int, pitches_hz: Sequence[float] = ()) -> list[Samples]:
    """Half of them beeps of one pitch, half melodies; in rooms, over noise; float32 (n,) at 16 kHz.

    With pitches, all notes are near one of these.
    """
    generators = [np.random.default_rng([seed, number]) for number in range(count)]
    tones = []
    for random in generators:
        rt60_seconds = float(random.integers(*_RT60_TENTHS, endpoint=True)) / 10.0
        ratio_db = random.uniform(*_DIRECT_TO_REVERB_DB)
        samples = np.zeros(synthesis.sample_count(TONE_SECONDS), np.float32)
        sound = _notes(random, pitches_hz)
        samples[: len(sound)] = sound
        samples = waveform.add_reverb(
            samples, rt60_seconds, ratio_db, synthesis.SAMPLE_RATE_HZ, random
        )
        samples *= np.float32(10.0 ** (random.uniform(*_PEAK_DBFS) / 20.0) / np.abs(samples).max())
        noise = synthesis.coloured_noise(TONE_SECONDS, random, 1.0)
        tones.append(samples + waveform.change_gain(noise, random.uniform(*_NOISE_GAIN_DB)))
    return tones


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
        power[np.abs(hz / found[-1] - 1.0) < _SEMITONE - 1.0] = 0.0
    return found


def _notes(random: np.random.Generator, pitches_hz: Sequence[float]) -> Samples:
    one_pitch, is_struck = random.random(2) < 0.5  # noqa: PLR2004 - half of them
    harmonics = range(1, 1 + int(random.integers(1, _HARMONICS, endpoint=True)))
    count = 1 if one_pitch else int(random.integers(2, _MOST_NOTES, endpoint=True))
    if pitches_hz:
        steps = random.uniform(-_NEAR_SEMITONES, _NEAR_SEMITONES, count)
        pitches = random.choice(pitches_hz, count) * _SEMITONE**steps
    else:
        steps = np.round(random.uniform(-12.0, 12.0, count))
        pitches = np.exp(random.uniform(*np.log(_PITCH_HZ))) * _SEMITONE**steps
    pitches = np.where(pitches > _PITCH_HZ[1], pitches / 2.0, pitches)
    seconds, pause = random.uniform(*_NOTE_SECONDS), random.uniform(*_PAUSE_SECONDS)
    notes = []
    for pitch in pitches.tolist():
        note: Samples = synthesis.glide(np.full(synthesis.sample_count(seconds), pitch), harmonics)
        if is_struck:
            decay = random.uniform(*_DECAY_SECONDS)
            fall = 10.0 ** (-3.0 * synthesis.sample_times(seconds) / decay)
            note = (note * fall).astype(np.float32)
        notes.append((note, pause if one_pitch else pause * random.random()))
    return synthesis.pulses(notes, random.uniform(1.0, TONE_SECONDS))
