"""Background that every training can have: noises of all colours and levels, and silence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from listener.detection.audio import Samples
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from listener.soundscape.synthesis import coloured_noise
from trainer.augment.waveform import change_gain
from trainer.data.cache import EmbeddingCache, Entry, make_key
from trainer.data.clips import BACKGROUND, Clip, ClipTable
from trainer.data.patches import ClipPatches
from trainer.model.backbones import Backbone
from trainer.teaching.sources import InMemory

NOISES, SILENCES = 60, 5  # one in seven of ESC-10's clips
CLIP_SECONDS = 5.0
GAIN_DB = (-60.0, 0.0)  # of noise at -12 dBFS
EXPONENTS = (0.0, 2.0)  # white to brown


def generate_background(classes: Sequence[str], features: FeatureParams, seed: int) -> InMemory:
    """Log-mel patches, the same for the same seed."""
    patches = [ClipPatches(log_mel_patches(each, features), CLIP_SECONDS) for each in _sounds(seed)]
    return _source(classes, features, patches)


def embed_background(
    classes: Sequence[str], backbone: Backbone, cache: EmbeddingCache, seed: int
) -> InMemory:
    """The same as embeddings, which the cache keeps.

    Raises:
        DataError: the cache cannot be written.
    """
    keys = [_key(number, backbone, seed) for number in range(NOISES + SILENCES)]
    entries = [entry for key in keys if (entry := cache.load(key)) is not None]
    if len(entries) < len(keys):
        sounds = generate_background(classes, backbone.features, seed).patches
        entries = [Entry(backbone.embed(each.inputs), each.seconds) for each in sounds]
        for key, entry in zip(keys, entries, strict=True):
            cache.store(key, entry)
    patches = [ClipPatches(entry.embeddings, entry.seconds) for entry in entries]
    return _source(classes, backbone.features, patches)


def _key(number: int, backbone: Backbone, seed: int) -> str:
    made = [NOISES, CLIP_SECONDS, GAIN_DB, EXPONENTS, seed, number]
    return make_key({"background": made, "backbone": backbone.id})


def _source(
    classes: Sequence[str], features: FeatureParams, patches: Sequence[ClipPatches]
) -> InMemory:
    labels = frozenset({BACKGROUND} & set(classes))
    clips = tuple(_clip(number, labels) for number in range(len(patches)))
    return InMemory(ClipTable(clips, tuple(classes)), features, tuple(patches))


def _clip(number: int, labels: frozenset[str]) -> Clip:
    path = Path(f"generated-background-{number}")  # there is no such file
    return Clip(path, labels, group=path.name, fold=0, exhaustive=True)


def _sounds(seed: int) -> list[Samples]:
    random = np.random.default_rng([seed, NOISES])
    noises = [
        change_gain(
            coloured_noise(CLIP_SECONDS, random, random.uniform(*EXPONENTS)),
            random.uniform(*GAIN_DB),
        )
        for _ in range(NOISES)
    ]
    return [*noises, *[np.zeros_like(noises[0])] * SILENCES]
