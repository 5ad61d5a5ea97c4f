"""Clips as rows to train on: what verdicts say of each patch, elsewhere what the bundle said before."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection import bundle, params
from trainer.data.batches import Batch, class_weights, join_batches
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import BACKGROUND, Clip, ClipTable, Quarantined
from trainer.data.embedding import embed_table
from trainer.data.patches import EmbeddedTable, PatchSource
from trainer.data.preparation import AS_IS, Preparation, digest_file
from trainer.data.targets import Targets, patch_targets
from trainer.evaluation import regression, selection
from trainer.model import backbones, settings
from trainer.retraining.base_bundle import open_base_backbone, recipe_of
from trainer.retraining.linear_head import LinearHead, read_head
from trainer.terminal import ReportClips
from trainer.training import sampling, training_set
from trainer.training.recipe import Recipe

_SAID = 0.5  # of a target: two labels at once share the whole
MOST_BACKGROUNDS = 60  # of the room, in memory to be mixed under clips: 20 MB of 5 s each

Scores = NDArray[np.float32]


def verdict_targets(
    clip: Clip,
    seconds: float,
    features: params.FeatureParams,
    columns: tuple[str, ...],
    base_scores: Scores,
    in_base: NDArray[np.bool_],
) -> Targets:
    """A verdict, and around it the base's own scores, as targets in [0, 1], (patches, K).

    `base_scores` are the old head's of the clip's patches, (patches, K), and `in_base` the columns that
    it has, (K,): of new labels it says nothing.
    """
    said = patch_targets(clip, columns, len(base_scores), seconds, features)
    if columns[-1] != BACKGROUND:
        values = np.where(said.known > 0, said.values, base_scores)
        return Targets(values, np.maximum(said.known, in_base.astype(np.float32)))
    # Softmax: what is heard shares the whole. Else what is denied goes to the background, not to the
    # label that comes second: that would be as wrong as the first.
    denied = (said.known > 0) & (said.values == 0)
    denied[:, -1] = False
    kept = np.where(denied, 0.0, base_scores)
    kept[:, -1] += np.where(denied, base_scores, 0.0).sum(axis=1)
    heard = said.values.sum(axis=1, keepdims=True)
    shares = np.where(heard > 0, said.values / np.maximum(heard, 1.0), kept)
    return Targets(np.asarray(shares, np.float32), np.ones_like(base_scores))


def base_targets(
    base_scores: Scores, columns: tuple[str, ...], known: NDArray[np.bool_]
) -> Targets:
    """The base's own scores, to be kept; `known` are the columns that they say something of, (K,).

    With softmax all are known: where an old label is heard, no new one is.
    """
    known = np.broadcast_to(known | (columns[-1] == BACKGROUND), base_scores.shape)
    return Targets(base_scores, known.astype(np.float32))


@dataclass(frozen=True, slots=True)
class RowBuilder:
    """Turns clips into rows with these columns.

    `base_outputs` say which output of the base's head each column is; None: a new label.
    """

    backbone: backbones.Backbone
    cache: EmbeddingCache
    recipe: Recipe
    base_head: LinearHead
    columns: tuple[str, ...]
    base_outputs: tuple[int | None, ...]
    report: ReportClips

    @property
    def activation(self) -> settings.Activation:
        """Of the head."""
        return self.recipe.fit.activation

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns without the background."""
        return tuple(name for name in self.columns if name != BACKGROUND)

    @property
    def in_base(self) -> NDArray[np.bool_]:
        """The columns that the base has, (K,)."""
        return np.array([output is not None for output in self.base_outputs])

    @property
    def stride(self) -> int:
        """Every how many-th patch is trained on."""
        return self.recipe.stride(self.backbone.features.patch_hop_seconds)

    def embed(self, table: ClipTable, preparation: Preparation, what: str) -> EmbeddedTable:
        """Embeddings of a table's clips; what cannot be read is quarantined."""
        return embed_table(table, self.backbone, self.cache, preparation, self.report(what))

    def regression_set(self, table: ClipTable) -> regression.RegressionSet | None:
        """Some of a table's clips to check later bundles by; None where none can be read."""
        return regression.make_regression_set(table, table.classes, self.backbone.features)

    def verdict_rows(self, source: PatchSource, index: int, weight: float = 1.0) -> Batch:
        """One clip with a verdict, or an ambient one."""
        strided = sampling.Strided(source, self.stride)
        patches = strided.load(index)
        scores = self.base_scores(patches.inputs)
        clip, seconds = source.table.clips[index], patches.seconds
        targets = verdict_targets(
            clip, seconds, strided.features, self.columns, scores, self.in_base
        )
        weights = np.full(len(scores), weight, np.float32)
        return Batch(patches.inputs, targets.values, targets.known, weights)

    def base_rows(self, source: PatchSource, *, without_new: bool = False) -> Batch:
        """All clips of a source, at least one, with the base's own scores of them.

        `without_new`: they hold none of the new labels; else of those nothing is known.
        """
        strided = sampling.Strided(source, self.stride)
        inputs = [strided.load(index).inputs for index in range(len(source.table.clips))]
        return self.base_rows_of(np.concatenate(inputs), without_new=without_new)

    def base_rows_of(self, embeddings: NDArray[np.float32], *, without_new: bool) -> Batch:
        """The same of embeddings (n, D)."""
        known = self.in_base | without_new
        targets = base_targets(self.base_scores(embeddings), self.columns, known)
        weights = np.ones(len(embeddings), np.float32)
        return Batch(embeddings, targets.values, targets.known, weights)

    def base_scores(self, embeddings: NDArray[np.float32]) -> Scores:
        """What the base's head gives, 0 for labels that it does not have, (n, K)."""
        scores = self.base_head.scores(embeddings, self.activation)
        with_none = np.column_stack((scores, np.zeros(len(scores), np.float32)))
        return with_none[:, [-1 if output is None else output for output in self.base_outputs]]


def open_row_builder(
    base: bundle.Bundle, columns: tuple[str, ...], cache: Path, report: ReportClips
) -> RowBuilder:
    """The base's head and backbone, to make rows with.

    Raises:
        BackboneError, BundleError: see `read_head` and `open_base_backbone`.
    """
    head = read_head(base)
    outputs = {label: number for number, label in enumerate(base.labels)}
    if head.outputs > len(base.labels):
        outputs[BACKGROUND] = len(base.labels)  # it follows the labels
    return RowBuilder(
        open_base_backbone(base),
        EmbeddingCache(cache),
        recipe_of(base),
        head,
        columns,
        tuple(outputs.get(column) for column in columns),
        report,
    )


def embed_judged(
    builder: RowBuilder, table: ClipTable, backgrounds: Sequence[Clip]
) -> tuple[EmbeddedTable, tuple[EmbeddedTable, ...]]:
    """The clips that can be read, and copies varied as in `trainer fit`, with this room's background."""
    clips = builder.embed(table, AS_IS, "embedding clips with a verdict")
    preparations = varied_copies(builder, backgrounds, builder.recipe)
    copies = [
        builder.embed(clips.table, each, f"embedding copy {number} of them")
        for number, each in enumerate(preparations, start=1)
    ]
    return clips, tuple(copies)


def build_verdict_rows(
    builder: RowBuilder,
    clips: EmbeddedTable,
    copies: Sequence[EmbeddedTable],
    wide: Sequence[EmbeddedTable],
    clear: Mapping[Clip, NDArray[np.bool_]],
) -> list[Batch]:
    """The rows of each clip, those of its copies included; `wide` copies are of some clips alone.

    All labels weigh the same, however many clips each has; a clip without any weighs 1. Its wide copies
    together weigh as much as the clip and its other copies. Of the clips in `clear` no other patches are
    learnt as the new label that a verdict gives them.
    """
    weights = dict(zip(clips.classes, class_weights(clips.table).tolist(), strict=True))
    usual = 1 + len(copies)
    shares = [1.0] * usual + [usual / len(wide) for _ in wide]
    tables = (clips, *copies, *wide)
    places = [{each.clip: at for at, each in enumerate(table.clips)} for table in tables]
    rows = []
    for clip in clips.table.clips:
        weight = float(np.mean([weights[label] for label in clip.labels])) if clip.labels else 1.0
        of_each = [
            builder.verdict_rows(table, at[clip], weight * share)
            for table, at, share in zip(tables, places, shares, strict=True)
            if clip in at
        ]
        if clip in clear:
            new = np.isin(builder.columns, list(clip.labels)) & ~builder.in_base
            learnt = clear[clip][:: builder.stride]
            exclusive = builder.activation == "softmax"
            of_each = [without_unclear(each, learnt, new, exclusive=exclusive) for each in of_each]
        rows.append(join_batches(of_each))
    return rows


def without_unclear(
    rows: Batch, clear: NDArray[np.bool_], columns: NDArray[np.bool_], *, exclusive: bool
) -> Batch:
    """The rows of a clip, whose patches with the label of a column, (K,), are unknown if not `clear`.

    The clear ones weigh as much as all of them did.
    Of a copy that is longer, the patches beyond are not clear. `exclusive`: nothing is known of them, as
    with softmax all is known or nothing.
    """
    same = np.pad(clear, (0, max(len(rows.known) - len(clear), 0)))[: len(rows.known), None]
    said = columns & (rows.targets >= _SAID)
    unclear, count = said & ~same, (said & same).any(axis=1).sum()
    if exclusive:
        unclear = np.broadcast_to(unclear.any(axis=1, keepdims=True), unclear.shape)
    # so that a take weighs as much as before
    more = said.any(axis=1).sum() / count if count else 1.0
    weights = np.where((said & same).any(axis=1), np.float32(more), np.float32(1.0)) * rows.weights
    return rows._replace(known=np.where(unclear, np.float32(0.0), rows.known), weights=weights)


def varied_copies(
    builder: RowBuilder, backgrounds: Sequence[Clip], recipe: Recipe
) -> list[Preparation]:
    """As many as the recipe asks for, with the room's own background under them."""
    chosen = tuple(backgrounds[:: -(-len(backgrounds) // MOST_BACKGROUNDS) or 1])
    rate_hz = builder.backbone.features.sample_rate_hz
    read = [
        samples for _, samples in selection.read_one_by_one(ClipTable(chosen, ()), rate_hz, None)
    ]
    sounds = [samples for samples in read if not isinstance(samples, Quarantined)]
    digests = "".join(digest_file(clip.path) for clip in chosen)
    digest = hashlib.sha256(digests.encode()).hexdigest()
    numbers = range(1, recipe.copies + 1)
    return [training_set.varied_copy(recipe, number, sounds, digest) for number in numbers]
