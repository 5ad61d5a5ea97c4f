"""New labels whose takes sound alike: wider copies to learn from, and other tones, which they are not."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from listener.detection.features import log_mel_patches
from trainer.augment.augmentation import Augmentation
from trainer.background.bank import find_bank
from trainer.background.tones import SECONDS, generate_tones, strongest_pitches
from trainer.data.alike import loudest, takes_spread
from trainer.data.audio import read_audio
from trainer.data.batches import Batch
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
OWN_TONES, HELD_OWN = 150, 30  # on the pitches of the takes
TONES_SHARE = 0.3  # beside the shares of training_set.py
_AS_NEAR = 2.0  # times the distance between the takes: such a tone may be the sound itself


@dataclass(frozen=True, slots=True)
class Widening:
    """The new labels whose takes sound alike, and what was made for them.

    `copies` are of the clips with such a label, `tones` rows that are none of these labels, and
    `held_tones` and `held_bank` clips of other sounds that nothing is trained on, (patches, D) each.
    """

    labels: tuple[str, ...] = ()
    copies: tuple[EmbeddedTable, ...] = ()
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
    others = np.concatenate((random[HELD_TONES:], own[HELD_OWN:]))
    learnt = others[unlike(others, judged, alike)]
    others = np.concatenate((random[:HELD_TONES], own[:HELD_OWN]))
    held = others[unlike(others, judged, alike)]
    bank = find_bank(builder.backbone)
    real = () if bank is None else leave_out_likenesses(bank.split()[1], judged).by_clip()
    rows = Component(_rows(builder, learnt, alike), TONES_SHARE) if len(learnt) else None
    return Widening(tuple(alike), tuple(copies), rows, tuple(held), real)


def _embed_tones(builder: RowBuilder) -> Embeddings:
    """All tones, (TONES, patches, D); the cache keeps them as one entry."""
    backbone, seed = builder.backbone, builder.recipe.seed
    key = make_key({"tones": [TONES, SECONDS, seed], "backbone": backbone.id})
    entry = builder.cache.load(key)
    if entry is None:
        sounds = generate_tones(TONES, seed)
        embedded = [backbone.embed(log_mel_patches(each, backbone.features)) for each in sounds]
        entry = Entry(np.concatenate(embedded), TONES * SECONDS)
        builder.cache.store(key, entry)
    return entry.embeddings.reshape(TONES, -1, entry.embeddings.shape[1])


def _embed_own_pitches(builder: RowBuilder, clips: Sequence[Clip]) -> Embeddings:
    """Beeps of the takes' pitches, (OWN_TONES, patches, D): a melody is no beep on one of its notes."""
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
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The numbers of the tones that are none of the labels: not as near to a take as takes are."""
    means = tones.mean(axis=1)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)
    kept = np.ones(len(tones), np.bool_)
    for label, spread in alike.items():
        places = [at for at, each in enumerate(judged.clips) if label in each.clip.labels]
        takes = np.stack([loudest(judged, place) for place in places])
        kept &= 1.0 - (means @ takes.T).max(axis=1) > _AS_NEAR * spread
    return np.flatnonzero(kept)


def _rows(builder: RowBuilder, tones: Embeddings, alike: Mapping[str, float]) -> Batch:
    """Nothing is known of new labels that are not alike: their sound may be any tone."""
    rows = builder.base_rows_of(
        np.concatenate(tones[:, :: builder.stride]),
        without_new=True,
    )
    if BACKGROUND in builder.columns:  # softmax: all are known or none
        return rows
    said = builder.in_base | np.isin(builder.columns, list(alike))
    return rows._replace(known=rows.known * said.astype(np.float32))
