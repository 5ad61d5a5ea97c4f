"""What a network is trained on: clips, their varied copies and generated background, all embedded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from listener.detection.audio import Samples
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from listener.soundscape.synthesis import coloured_noise
from trainer.augment import augmentation, waveform
from trainer.background.bank import PATCH_HOP_SECONDS, BankOfNegatives, find_bank
from trainer.data import activity, embedding
from trainer.data.cache import EmbeddingCache, Entry, make_key
from trainer.data.clips import BACKGROUND, Clip, ClipTable, without_background
from trainer.data.patches import ClipPatches, EmbeddedTable, LogMelTable, PatchSource
from trainer.data.preparation import AS_IS, Preparation
from trainer.model.backbones import Backbone
from trainer.model.network import compress
from trainer.terminal import ReportClips
from trainer.training.recipe import Recipe
from trainer.training.sampling import CachedPatches, InMemory, Joined, Strided

log = logging.getLogger(__name__)

# The generated background
NOISES, SILENCES = 60, 5  # one in seven of ESC-10's clips
CLIP_SECONDS = 5.0
GAIN_DB = (-60.0, 0.0)  # of noise at -12 dBFS
EXPONENTS = (0.0, 2.0)  # white to brown


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Clips as they are, their varied copies, generated background and the backbone's bank, if any.

    `tables` are embedded, the clips first; `preparations` say how each was made. Every `stride`-th patch
    of a clip is trained on; clips and background are used `repeats` times as often as a copy, the bank's
    clips as often as a copy. `held_bank`, of other sources, is never trained on: thresholds are set on it.
    """

    tables: tuple[EmbeddedTable, ...]
    preparations: tuple[Preparation, ...]
    background: InMemory | None  # embedded
    stride: int
    repeats: int
    seed: int
    bank: InMemory | None = None  # embedded
    held_bank: BankOfNegatives | None = None

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
        return self._joined(self.tables, self.background, self.bank)

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

    def _joined(
        self,
        tables: Sequence[PatchSource],
        background: PatchSource | None,
        bank: PatchSource | None = None,
    ) -> PatchSource:
        clips, *copies = (CachedPatches(Strided(table, self.stride)) for table in tables)
        originals = [clips] if background is None else [clips, Strided(background, self.stride)]
        negatives = () if bank is None else (Strided(bank, self.stride),)
        return Joined((*originals * (self.repeats if copies else 1), *copies, *negatives))


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
    # of clips with several labels it is not known which of them a quiet part is about
    marks = recipe.background and (exclusive or len(table.classes) == 1)
    marked = activity.mark_activity(tables[0]) if marks else tables[0]
    if not exclusive:
        marked = replace(marked, classes=table.classes)  # quiet is none of the classes
    background = (
        embed_background(marked.classes, backbone, cache, recipe.seed)
        if recipe.background
        else None
    )
    relabelled = tuple(_relabel(embedded, marked.table) for embedded in tables)
    stride = recipe.stride(backbone.features.patch_hop_seconds)
    bank = find_bank(backbone) if recipe.background else None
    if recipe.background and bank is None:
        log.info("no bank of negatives for this backbone: only generated background is rejected")
    learnt, held = (None, None) if bank is None else bank.split()
    if learnt is not None:
        learnt = leave_out_likenesses(learnt, relabelled[0])
    return TrainingSet(
        relabelled,
        preparations,
        background,
        stride,
        recipe.repeats,
        recipe.seed,
        None if learnt is None else bank_clips(learnt, marked.classes, backbone.features),
        held,
    )


def bank_clips(bank: BankOfNegatives, classes: Sequence[str], features: FeatureParams) -> InMemory:
    """The bank as clips of none of the classes."""
    clips = bank.by_clip()
    patches = [ClipPatches(each, len(each) * PATCH_HOP_SECONDS) for each in clips]
    return _as_background(classes, features, patches)


def leave_out_likenesses(bank: BankOfNegatives, clips: EmbeddedTable) -> BankOfNegatives:
    """The bank less what may be the user's own sounds: a dog in it must not teach against a taught dog.

    A clip of the bank is left out where it is as near to a label's recording as half of the label's
    recordings are to another one of theirs; a label of one recording leaves out nothing.
    """
    if not clips.clips:
        return bank
    numbers, means = bank.clip_means()
    own = np.stack([clips.load(index).inputs.mean(axis=0) for index in range(len(clips.clips))])
    both = np.array(compress(np.concatenate((own, means))), np.float32)
    both -= both.mean(axis=0)
    both /= np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-6)
    own, means = both[: len(own)], both[len(own) :]
    groups = np.array([each.clip.group for each in clips.clips])
    alike = np.zeros(len(means), np.bool_)
    for label in clips.classes:
        places = [
            place
            for place, each in enumerate(clips.clips)
            if label in each.clip.labels and label != BACKGROUND
        ]
        nearness = own[places] @ own[places].T
        nearness[groups[places][:, None] == groups[places]] = -1.0
        if len(set(groups[places])) > 1:
            alike |= (means @ own[places].T).max(axis=1) >= np.median(nearness.max(axis=1))
    if alike.any():
        log.info(
            "bank of negatives: %d of %d clips left out, as near to a label as its own recordings",
            alike.sum(),
            len(alike),
        )
    return bank.without_clips(numbers[alike])


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
