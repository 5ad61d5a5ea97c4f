"""What a network is trained on: clips, their varied copies and generated background, all embedded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from listener.detection.audio import Samples
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from listener.soundscape.synthesis import coloured_noise
from trainer.augment import augmentation, waveform
from trainer.data import activity, embedding
from trainer.data.cache import EmbeddingCache, Entry, make_key
from trainer.data.clips import BACKGROUND, Clip, ClipTable, without_background
from trainer.data.patches import ClipPatches, EmbeddedTable, LogMelTable, PatchSource
from trainer.data.preparation import AS_IS, Preparation
from trainer.model.backbones import Backbone
from trainer.terminal import ReportClips
from trainer.training.recipe import Recipe
from trainer.training.sampling import CachedPatches, InMemory, Joined, Strided

# The generated background
NOISES, SILENCES = 60, 5  # one in seven of ESC-10's clips
CLIP_SECONDS = 5.0
GAIN_DB = (-60.0, 0.0)  # of noise at -12 dBFS
EXPONENTS = (0.0, 2.0)  # white to brown


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Clips as they are, their varied copies, and generated background, if any.

    `tables` are embedded, the clips first; `preparations` say how each was made. Every `stride`-th patch
    of a clip is trained on; clips and background are used `repeats` times as often as a copy.
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
        """What the network tells apart; with softmax, background may be the last of them."""
        return self.clips.classes

    def in_folds(self, *folds: int) -> TrainingSet:
        """The clips of these folds and their copies; the background has no fold and stays."""
        return replace(self, tables=tuple(table.in_folds(*folds) for table in self.tables))

    def embedded(self) -> PatchSource:
        """All of it, to train a head on."""
        return self._joined(self.tables, self.background)

    def clips_as_log_mel(self) -> PatchSource:
        """The clips as they are, before the backbone."""
        return LogMelTable(self.clips.table, self.clips.features)

    def log_mel(self) -> PatchSource:
        """All of it before the backbone, to train thawed blocks on; decoded as needed."""
        tables = [
            LogMelTable(table.table, table.features, preparation)
            for table, preparation in zip(self.tables, self.preparations, strict=True)
        ]
        if self.background is None:
            return self._joined(tables, None)
        background = generate_background(self.classes, self.clips.features, self.seed)
        return self._joined(tables, background)

    def _joined(self, tables: Sequence[PatchSource], background: PatchSource | None) -> PatchSource:
        clips, *copies = (CachedPatches(Strided(table, self.stride)) for table in tables)
        originals = [clips] if background is None else [clips, Strided(background, self.stride)]
        return Joined((*originals * (self.repeats if copies else 1), *copies))


def make_training_set(
    table: ClipTable, backbone: Backbone, cache: EmbeddingCache, recipe: Recipe, report: ReportClips
) -> TrainingSet:
    """Embed a table as the recipe asks for; what the cache has is not computed again.

    Raises:
        DataError, BackboneError: see `embed_table`.
    """
    exclusive = recipe.fit.activation == "softmax"
    table = table if exclusive else without_background(table)
    numbers = range(1, recipe.copies + 1)
    preparations = (AS_IS, *(varied_copy(recipe, number) for number in numbers))
    names = ("clips", *(f"copy {number}" for number in numbers))
    tables = [
        embedding.embed_table(table, backbone, cache, preparation, report(f"embedding, {name}"))
        for preparation, name in zip(preparations, names, strict=True)
    ]
    marked = activity.mark_activity(tables[0]) if exclusive and recipe.background else tables[0]
    background = (
        embed_background(marked.classes, backbone, cache, recipe.seed)
        if recipe.background
        else None
    )
    relabelled = tuple(_relabel(embedded, marked.table) for embedded in tables)
    stride = recipe.stride(backbone.features.patch_hop_seconds)
    return TrainingSet(relabelled, preparations, background, stride, recipe.repeats, recipe.seed)


def varied_copy(
    recipe: Recipe, number: int, backgrounds: Sequence[Samples] = (), digest: str = ""
) -> Preparation:
    """How the copy of this number is made; `digest` is that of recorded `backgrounds`, if there are any."""

    def change(samples: Samples, sample_rate_hz: int, random: np.random.Generator) -> Samples:
        return augmentation.augment(
            samples, recipe.augmentation, sample_rate_hz, random, backgrounds
        )

    name = repr(recipe.augmentation) + (f" over {digest}" if digest else "")
    return Preparation(name, change, seed=1000 * recipe.seed + number)


def _relabel(embedded: EmbeddedTable, marked: ClipTable) -> EmbeddedTable:
    """The same embeddings for the clips as they were marked."""
    by_cut = {(clip.path, clip.onset, clip.seconds): clip for clip in marked.clips}
    clips = tuple(
        replace(each, clip=by_cut[each.clip.path, each.clip.onset, each.clip.seconds])
        for each in embedded.clips
    )
    return replace(embedded, clips=clips, classes=marked.classes)


def generate_background(classes: Sequence[str], features: FeatureParams, seed: int) -> InMemory:
    """Log-mel patches of noises of all colours and levels, and of silence; the same for the same seed."""
    random = np.random.default_rng([seed, NOISES])
    noises = [
        waveform.change_gain(
            coloured_noise(CLIP_SECONDS, random, random.uniform(*EXPONENTS)),
            random.uniform(*GAIN_DB),
        )
        for _ in range(NOISES)
    ]
    sounds = [*noises, *[np.zeros_like(noises[0])] * SILENCES]
    patches = [ClipPatches(log_mel_patches(each, features), CLIP_SECONDS) for each in sounds]
    return _as_background(classes, features, patches)


def embed_background(
    classes: Sequence[str], backbone: Backbone, cache: EmbeddingCache, seed: int
) -> InMemory:
    """The same as embeddings, which the cache keeps.

    Raises:
        DataError: the cache cannot be written.
    """
    made = [NOISES, CLIP_SECONDS, GAIN_DB, EXPONENTS, seed]
    keys = [
        make_key({"background": [*made, number], "backbone": backbone.id})
        for number in range(NOISES + SILENCES)
    ]
    entries = [entry for key in keys if (entry := cache.load(key)) is not None]
    if len(entries) < len(keys):
        sounds = generate_background(classes, backbone.features, seed).patches
        entries = [Entry(backbone.embed(each.inputs), each.seconds) for each in sounds]
        for key, entry in zip(keys, entries, strict=True):
            cache.store(key, entry)
    patches = [ClipPatches(entry.embeddings, entry.seconds) for entry in entries]
    return _as_background(classes, backbone.features, patches)


def _as_background(
    classes: Sequence[str], features: FeatureParams, patches: Sequence[ClipPatches]
) -> InMemory:
    labels = frozenset({BACKGROUND} & set(classes))
    paths = [Path(f"generated-background-{number}") for number in range(len(patches))]  # no files
    clips = tuple(Clip(path, labels, path.name, fold=0, exhaustive=True) for path in paths)
    return InMemory(ClipTable(clips, tuple(classes)), features, tuple(patches))
