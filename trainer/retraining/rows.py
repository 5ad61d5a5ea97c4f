"""What a correction is learnt from, as rows: verdicts, this room, and what the bundle knew before."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.params import FeatureParams
from trainer.augment.augmentation import augment
from trainer.data.batches import Batch, class_weights
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import BACKGROUND, Clip, ClipTable, Quarantined
from trainer.data.embedding import embed_table
from trainer.data.patches import EmbeddedTable, PatchSource
from trainer.data.preparation import AS_IS, Preparation, digest_file
from trainer.data.targets import Targets, patch_targets
from trainer.evaluation.selection import read_one_by_one
from trainer.model.backbones import Backbone
from trainer.model.settings import Activation
from trainer.retraining.correction import join_rows
from trainer.retraining.linear_head import LinearHead
from trainer.terminal import ReportClips
from trainer.training.recipe import Recipe
from trainer.training.sampling import Strided
from trainer.training.training_set import stride_of

MOST_BACKGROUNDS = 60  # of the room, in memory to be mixed under clips: 20 MB of 5 s each


# What a head should say of each patch: what people said, elsewhere what it said before.


Scores = NDArray[np.float32]


def answers_of(
    clip: Clip,
    seconds: float,
    features: FeatureParams,
    columns: tuple[str, ...],
    before: Scores,
    had: NDArray[np.bool_],
) -> Targets:
    """Values in [0, 1] and known, (patches, K): a verdict with the bundle's own outputs around it.

    `before` is what the old head says of the clip's patches, (patches, K), and `had` which columns it
    has, (K,): of new labels it says nothing.
    """
    said = patch_targets(clip, columns, len(before), seconds, features)
    if columns[-1] == BACKGROUND:
        return Targets(_shares(said, before), np.ones_like(before))
    values = np.where(said.known > 0, said.values, before)
    return Targets(values, np.maximum(said.known, had.astype(np.float32)))


def answers_before(before: Scores, columns: tuple[str, ...], known: NDArray[np.bool_]) -> Targets:
    """The bundle's own outputs, to be kept; `known` are the columns that they say something of, (K,).

    With softmax all are known: where an old label is heard, no new one is.
    """
    known = np.broadcast_to(known | (columns[-1] == BACKGROUND), before.shape)
    return Targets(before, known.astype(np.float32))


def _shares(said: Targets, before: Scores) -> Scores:
    """Softmax: what is heard shares the whole; else what is denied goes to the background.

    Not to the label that comes second: it would be as wrong as the first.
    """
    denied = (said.known > 0) & (said.values == 0)
    denied[:, -1] = False
    kept = np.where(denied, 0.0, before)
    kept[:, -1] += np.where(denied, before, 0.0).sum(axis=1)
    heard = said.values.sum(axis=1, keepdims=True)
    shares = np.where(heard > 0, said.values / np.maximum(heard, 1.0), kept)
    return np.asarray(shares, np.float32)


@dataclass(frozen=True, slots=True)
class RowBuilder:
    """What turns clips into rows; the columns of `before` are those of the rows.

    `before` is the bundle's head, and `places` say which of its outputs each column is.
    """

    backbone: Backbone
    cache: EmbeddingCache
    lesson: Recipe
    before: LinearHead
    columns: tuple[str, ...]
    places: tuple[int | None, ...]  # None: a new one
    report: ReportClips

    @property
    def activation(self) -> Activation:
        """Of the head."""
        return self.lesson.fit.activation

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns without the background."""
        return tuple(name for name in self.columns if name != BACKGROUND)

    @property
    def had(self) -> NDArray[np.bool_]:
        """Which columns the bundle has, (K,)."""
        return np.array([place is not None for place in self.places])

    @property
    def stride(self) -> int:
        """Of the patches every so many-th is learnt from."""
        return stride_of(self.backbone.features.patch_hop_seconds, self.lesson.learnt_hop_seconds)

    def embed(self, table: ClipTable, preparation: Preparation, what: str) -> EmbeddedTable:
        """Embeddings of a table's clips; what cannot be read is quarantined."""
        return embed_table(table, self.backbone, self.cache, preparation, self.report(what))

    def rows_of(self, source: PatchSource, index: int, weight: float = 1.0) -> Batch:
        """One judged clip: what its verdict says, and around it what the bundle said before."""
        thinned = Strided(source, self.stride)
        patches = thinned.load(index)
        clip = source.table.clips[index]
        before = self.scores_before(patches.inputs)
        answers = answers_of(
            clip, patches.seconds, thinned.features, self.columns, before, self.had
        )
        weights = np.full(len(before), weight, np.float32)
        return Batch(patches.inputs, answers.values, answers.known, weights)

    def rows_before(self, source: PatchSource, *, nothing_new: bool = False) -> Batch:
        """All clips of a source, at least one, with what the bundle says of them.

        `nothing_new`: none of the new labels is in them; else of those nothing is known.
        """
        thinned = Strided(source, self.stride)
        inputs = [thinned.load(index).inputs for index in range(len(source.table.clips))]
        return self.embeddings_before(np.concatenate(inputs), nothing_new=nothing_new)

    def embeddings_before(self, embeddings: NDArray[np.float32], *, nothing_new: bool) -> Batch:
        """The same of embeddings (n, D)."""
        known = self.had | nothing_new
        answers = answers_before(self.scores_before(embeddings), self.columns, known)
        weights = np.ones(len(embeddings), np.float32)
        return Batch(embeddings, answers.values, answers.known, weights)

    def scores_before(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the bundle says, 0 for labels that it does not have, (n, K)."""
        scores = self.before.scores(embeddings, self.activation)
        with_none = np.column_stack((scores, np.zeros(len(scores), np.float32)))
        return with_none[:, [-1 if place is None else place for place in self.places]]


def judged_rows(
    kitchen: RowBuilder, table: ClipTable, backgrounds: Sequence[Clip]
) -> tuple[EmbeddedTable, list[Batch]]:
    """The judged clips that can be read, and for each of them its rows, those of its copies among them.

    Copies are varied as in `trainer fit`, with this room's own background under them.
    """
    clips = kitchen.embed(table, AS_IS, "embedding clips with a verdict")
    copies = [
        kitchen.embed(clips.table, each, f"embedding copy {number} of them")
        for number, each in enumerate(_vary(kitchen, backgrounds), start=1)
    ]
    weights = _weigh(clips.table)
    rows = [
        join_rows([kitchen.rows_of(source, index, weight) for source in (clips, *copies)])
        for index, weight in enumerate(weights)
    ]
    return clips, rows


def _weigh(table: ClipTable) -> list[float]:
    """Labels count alike, however many clips each has; a clip without any counts 1."""
    weights = dict(zip(table.classes, class_weights(table).tolist(), strict=True))
    return [
        float(np.mean([weights[label] for label in clip.labels])) if clip.labels else 1.0
        for clip in table.clips
    ]


def _vary(kitchen: RowBuilder, backgrounds: Sequence[Clip]) -> list[Preparation]:
    lesson = kitchen.lesson
    chosen = backgrounds[:: -(-len(backgrounds) // MOST_BACKGROUNDS) or 1]
    sounds = _read(kitchen, chosen)
    name = hashlib.sha256("".join(digest_file(clip.path) for clip in chosen).encode()).hexdigest()

    def change(samples: Samples, sample_rate_hz: int, random: np.random.Generator) -> Samples:
        return augment(samples, lesson.augmentation, sample_rate_hz, random, sounds)

    return [
        Preparation(f"{lesson.augmentation!r} over {name}", change, 1000 * lesson.seed + number)
        for number in range(1, lesson.copies + 1)
    ]


def _read(kitchen: RowBuilder, clips: Sequence[Clip]) -> list[Samples]:
    table = ClipTable(tuple(clips), ())
    rate_hz = kitchen.backbone.features.sample_rate_hz
    sounds = [samples for _, samples in read_one_by_one(table, rate_hz, None)]
    return [each for each in sounds if not isinstance(each, Quarantined)]
