"""What there is to learn from: clips, their varied copies, and background; all embedded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from listener.detection.audio import Samples
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from listener.soundscape.synthesis import coloured_noise
from trainer.augment.augmentation import augment
from trainer.augment.waveform import change_gain
from trainer.data.activity import mark_activity
from trainer.data.cache import EmbeddingCache, Entry, make_key
from trainer.data.clips import BACKGROUND, Clip, ClipTable, without_background
from trainer.data.embedding import embed_table
from trainer.data.patches import ClipPatches, EmbeddedTable, LogMelTable, PatchSource
from trainer.data.preparation import AS_IS, Preparation
from trainer.model.backbones import Backbone
from trainer.terminal import ReportClips
from trainer.training.recipe import Recipe
from trainer.training.sampling import HeldPatches, InMemory, Joined, Strided

CLIP_SECONDS = 5.0
GAIN_DB = (-60.0, 0.0)  # of noise at -12 dBFS
EXPONENTS = (0.0, 2.0)  # white to brown
_ROUNDING = 1e-6  # of quotients of decimal seconds


# Background that every training can have: noises of all colours and levels, and silence.


NOISES, SILENCES = 60, 5  # one in seven of ESC-10's clips


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


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Clips as they are, their varied copies, and background of our own making, if any.

    `tables` are embedded, the clips first; `preparations` say how each came to be. Of the patches of a
    clip every `stride`-th is learnt from; clips and background are learnt from `repeats` times as often
    as a copy.
    """

    tables: tuple[EmbeddedTable, ...]
    preparations: tuple[Preparation, ...]
    background: InMemory | None  # embedded
    stride: int
    repeats: int
    seed: int

    @property
    def clips(self) -> EmbeddedTable:
        """As they are."""
        return self.tables[0]

    @property
    def classes(self) -> tuple[str, ...]:
        """What the network tells apart; with softmax, background may be one of them, the last."""
        return self.clips.classes

    def in_folds(self, *folds: int) -> TrainingSet:
        """The clips of these folds and their copies; the background is of no fold and stays."""
        return replace(self, tables=tuple(table.in_folds(*folds) for table in self.tables))

    def embedded(self) -> PatchSource:
        """All of it, to learn from."""
        return self._to_learn_from(self.tables, self.background)

    def clips_as_log_mel(self) -> PatchSource:
        """The clips as they are, before the backbone."""
        return LogMelTable(self.clips.table, self.clips.features)

    def log_mel(self) -> PatchSource:
        """All of it before the backbone, to learn from through thawed blocks; decoded as needed."""
        tables = [
            LogMelTable(table.table, table.features, preparation)
            for table, preparation in zip(self.tables, self.preparations, strict=True)
        ]
        if self.background is None:
            return self._to_learn_from(tables, None)
        background = generate_background(self.classes, self.clips.features, self.seed)
        return self._to_learn_from(tables, background)

    def _to_learn_from(
        self, tables: Sequence[PatchSource], background: PatchSource | None
    ) -> PatchSource:
        clips, *copies = (HeldPatches(Strided(table, self.stride)) for table in tables)
        pure = [clips] if background is None else [clips, Strided(background, self.stride)]
        return Joined((*pure * (self.repeats if copies else 1), *copies))


def gather(
    table: ClipTable, backbone: Backbone, cache: EmbeddingCache, lesson: Recipe, report: ReportClips
) -> TrainingSet:
    """Embed a table as a lesson asks for it; what the cache has is not made again.

    Raises:
        DataError, BackboneError: see `embed_table`.
    """
    exclusive = lesson.fit.activation == "softmax"
    table = table if exclusive else without_background(table)
    preparations = (AS_IS, *(_vary(lesson, number) for number in range(1, lesson.copies + 1)))
    tables = [
        embed_table(table, backbone, cache, preparation, report(f"embedding, {_nth(number)}"))
        for number, preparation in enumerate(preparations)
    ]
    marked = mark_activity(tables[0]) if exclusive and lesson.background else tables[0]
    background = (
        embed_background(marked.classes, backbone, cache, lesson.seed)
        if lesson.background
        else None
    )
    relabelled = tuple(_relabel(embedded, marked.table) for embedded in tables)
    stride = stride_of(backbone.features.patch_hop_seconds, lesson.learnt_hop_seconds)
    return TrainingSet(relabelled, preparations, background, stride, lesson.repeats, lesson.seed)


def stride_of(hop_seconds: float, learnt_hop_seconds: float) -> int:
    """How many hops are at most the hop to learn from; at least one."""
    return max(1, math.floor(learnt_hop_seconds / hop_seconds + _ROUNDING))


def _nth(number: int) -> str:
    return f"copy {number}" if number else "clips"


def _vary(lesson: Recipe, number: int) -> Preparation:
    def change(samples: Samples, sample_rate_hz: int, random: np.random.Generator) -> Samples:
        return augment(samples, lesson.augmentation, sample_rate_hz, random)

    return Preparation(repr(lesson.augmentation), change, seed=1000 * lesson.seed + number)


def _relabel(embedded: EmbeddedTable, marked: ClipTable) -> EmbeddedTable:
    """The same embeddings for the clips as they were marked."""
    by_cut = {(clip.path, clip.onset, clip.seconds): clip for clip in marked.clips}
    clips = tuple(
        replace(each, clip=by_cut[each.clip.path, each.clip.onset, each.clip.seconds])
        for each in embedded.clips
    )
    return replace(embedded, clips=clips, classes=marked.classes)
