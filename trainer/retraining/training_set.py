"""What a correction is trained on and checked by, read and embedded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from listener.detection.bundle import Bundle
from listener.detection.scores import slot_boundaries
from trainer.background.bank import find_bank
from trainer.data import clip_store, formats, preparation
from trainer.data.batches import Batch, Batching, iterate_batches, join_batches
from trainer.data.clips import ClipTable
from trainer.data.folds import hold_out_clips
from trainer.data.patches import EmbeddedTable, PatchSource
from trainer.errors import DataError
from trainer.evaluation.regression import RegressionSet, files_of, read_regression
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.selection import match_classes, paths_of, seen_paths
from trainer.provenance import provenance_of
from trainer.retraining.correction import Component, fit_correction
from trainer.retraining.linear_head import LinearHead
from trainer.retraining.rows import (
    RowBuilder,
    build_verdict_rows,
    embed_judged,
    open_row_builder,
)
from trainer.retraining.thresholds import ScoredFiles
from trainer.retraining.verdicts import (
    Holdout,
    JudgedClip,
    Verdicts,
    hold_out,
    named_columns,
    read_verdicts,
)
from trainer.retraining.widening import Widening, widen
from trainer.terminal import ReportClips
from trainer.training.sampling import MOST_EMBEDDINGS, Embeddings, Strided, read_memory, thin_out
from trainer.training.training_set import (
    embed_background,
    leave_out_likenesses,
    make_training_set,
)

MOST_PATCHES = 40_000  # of the base's data in memory: 160 MB of YAMNet's embeddings
MOST_AMBIENT = 600  # clips; more hours of a room teach little
# Of every batch, which their sum is
REHEARSAL_SHARE, VERDICT_SHARE, AMBIENT_SHARE, BANK_SHARE = 0.5, 0.3, 0.2, 0.15


@dataclass(frozen=True, slots=True)
class CorrectionData:
    """What a correction is trained on, in three components, and what it is checked by.

    `judged` are the clips with a verdict that are trained on, `judged_clips` their embeddings and
    `verdict_rows` the rows of each. `memory` is the base's replay memory.
    """

    base: Bundle
    builder: RowBuilder
    verdicts: Verdicts
    holdout: Holdout
    judged: tuple[JudgedClip, ...]
    judged_clips: EmbeddedTable
    verdict_rows: tuple[Batch, ...]
    ambient: EmbeddedTable
    rehearsal: Component
    bank_rows: Component | None  # None where the backbone has no bank
    widening: Widening
    ambient_rows: Component | None  # None without ambient clips
    memory: Embeddings | None
    held_out: RegressionSet | None
    held_out_embeddings: tuple[Embeddings, ...]  # of each held-out clip

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of the new bundle, in the order of its scores."""
        return self.builder.labels

    def next_held_out(self) -> RegressionSet | None:
        """What the next bundle is checked by: the same, and clips of the new labels.

        None without clips of old labels: new ones alone would claim too much.
        """
        if self.held_out is None:
            return None
        new = self.builder.regression_set(ClipTable(self.holdout.clips, self.labels))
        return self.held_out if new is None else self.held_out.joined_with(new)

    def next_memory(self) -> Embeddings | None:
        """The new bundle's replay memory: the base's, and the clips with a verdict."""
        if self.memory is None:
            return None
        strided = Strided(self.judged_clips, self.builder.stride)
        judged = [strided.load(index).inputs for index in range(len(self.judged))]
        return thin_out(np.concatenate([self.memory, *judged]), MOST_EMBEDDINGS)

    def fit_head(self, judged: Sequence[int], *, only_new: bool = False) -> LinearHead:
        """The base's head, corrected by some of the judged clips, with ambient clips and rehearsal.

        `only_new`: independent scores of old labels stay as they are, which takes a fifth of the time.

        Raises:
            FitError: see `fit_correction`.
        """
        builder, recipe = self.builder, self.builder.recipe
        head, rehearsed = builder.base_head, self.rehearsal.rows.inputs
        new_logit = head.unlikely_logit(rehearsed, builder.activation)
        start = head.with_outputs(builder.base_outputs, new_logit)
        components = [self.rehearsal]
        if self.bank_rows is not None:
            components.append(self.bank_rows)
        if self.widening.tones is not None:
            components.append(self.widening.tones)
        if self.ambient_rows is not None:
            components.append(self.ambient_rows)
        if judged:
            rows = join_batches([self.verdict_rows[index] for index in judged])
            components.append(Component(rows, VERDICT_SHARE))
        named = named_columns(builder.columns, self.judged)
        new = ~builder.in_base if only_new else None
        return fit_correction(start, components, recipe.fit, recipe.batch_size, named, only=new)

    def score_clip(self, clips: EmbeddedTable, index: int, head: LinearHead) -> ScoredFile:
        """The scores that the daemon would give a clip with this head."""
        patches = clips.load(index)
        scores = self._label_scores(patches.inputs, head)
        boundaries = slot_boundaries(len(scores), patches.seconds, clips.features)
        return ScoredFile("clip", scores, boundaries)

    def score_ambient(self, head: LinearHead) -> ScoredFiles:
        """The ambient clips with this head."""
        clips = self.ambient
        files = [self.score_clip(clips, index, head) for index in range(len(clips.clips))]
        return ScoredFiles(tuple(files), clips.features.patch_hop_seconds)

    def score_held_out(self, head: LinearHead) -> ScoredFiles:
        """The held-out clips of old labels with this head, if there are any; the labels' own columns."""
        return self.score_embedded(self.held_out_embeddings, head)

    def score_embedded(self, clips: Sequence[Embeddings], head: LinearHead) -> ScoredFiles:
        """Clips by their embeddings, (patches, D) each, with this head."""
        features = self.builder.backbone.features
        scores = [self._label_scores(each, head) for each in clips]
        return ScoredFiles(files_of(scores, features), features.patch_hop_seconds)

    def _label_scores(self, embeddings: Embeddings, head: LinearHead) -> Embeddings:
        return head.scores(embeddings, self.builder.activation)[:, : len(self.labels)]


def read_correction_data(
    base: Bundle,
    clips: Path,
    data: Sequence[Path],
    cache: Path,
    report: ReportClips,
    *,
    new_classes: bool,
) -> CorrectionData:
    """Read and embed a clip store, and the data that the base was trained on, if it is given.

    Raises:
        DataError, BackboneError, BundleError: one line on what cannot be used.
    """
    verdicts = read_verdicts(clip_store.read_store(clips), base, new_classes=new_classes)
    holdout = hold_out(verdicts, base)
    base_data = read_base_data(data, base) if data else None
    builder = open_row_builder(base, verdicts.columns, cache, report)
    memory, held_out = read_memory(base), read_regression(base)
    judged_clips, copies = embed_judged(
        builder, verdicts.table(each.clip for each in holdout.judged), verdicts.ambient
    )
    widening = widen(builder, judged_clips, verdicts.new_labels, verdicts.ambient)
    usable = {each.clip.path for each in judged_clips.clips}
    few = verdicts.ambient[:: -(-len(verdicts.ambient) // MOST_AMBIENT) or 1]  # rounded up
    ambient = builder.embed(verdicts.table(few), preparation.AS_IS, "embedding ambient clips")
    ambient_rows = [builder.verdict_rows(ambient, index) for index in range(len(ambient.clips))]
    if base_data is None:
        rehearsal = rehearse_outputs(builder, verdicts.table(verdicts.unjudged), memory)
    else:
        rehearsal = rehearse_data(builder, base_data.learnt)
        held_out = held_out or builder.regression_set(base_data.held_out)
    return CorrectionData(
        base=base,
        builder=builder,
        verdicts=verdicts,
        holdout=holdout,
        judged=tuple(each for each in holdout.judged if each.clip.path in usable),
        judged_clips=judged_clips,
        verdict_rows=tuple(
            build_verdict_rows(builder, judged_clips, copies, widening.copies, widening.clear)
        ),
        ambient=ambient,
        rehearsal=Component(rehearsal, REHEARSAL_SHARE),
        bank_rows=reject_bank(builder, judged_clips),
        widening=widening,
        ambient_rows=Component(join_batches(ambient_rows), AMBIENT_SHARE) if ambient_rows else None,
        memory=memory,
        held_out=held_out,
        held_out_embeddings=()
        if held_out is None
        else held_out.infer(builder.backbone.embed, builder.backbone.features),
    )


@dataclass(frozen=True, slots=True)
class BaseData:
    """The clips that the base was trained on, and those that it never was."""

    learnt: ClipTable
    held_out: ClipTable


def read_base_data(paths: Sequence[Path], base: Bundle) -> BaseData:
    """Data sets as the base knew them, by the content of their files; classes are its slugs.

    Of a base that was trained on no files, a published network's, some recordings are held back.

    Raises:
        DataError: data that cannot be used, a class that the base does not know, or none of its files.
    """
    table = match_classes(formats.read_clips(paths), base)
    if "training_files" not in provenance_of(base.manifest):
        folds = tuple(sorted({clip.fold for clip in table.clips}))
        return BaseData(*hold_out_clips(table, folds))
    seen = seen_paths(base, paths_of(table), ("training_files",))
    if not seen:
        raise DataError(
            f"{paths[0]}: expected files that {base.id} learnt from, found none of "
            f"{len(paths_of(table))}: were they changed?"
        )
    learnt = tuple(clip for clip in table.clips if clip.path in seen)
    held_out = tuple(clip for clip in table.clips if clip.path not in seen)
    return BaseData(replace(table, clips=learnt), replace(table, clips=held_out))


def rehearse_data(builder: RowBuilder, learnt: ClipTable) -> Batch:
    """The base's clips, their copies and background as it was trained on them, mostly from the cache."""
    made = make_training_set(
        learnt, builder.backbone, builder.cache, builder.recipe, builder.report
    )
    repeats = made.repeats if len(made.tables) > 1 else 1
    rows = []
    for number, table in enumerate(made.tables):
        patches = len(made.tables) * sum(table.patch_counts) // builder.stride
        few = table.clips[:: max(1, -(-patches // MOST_PATCHES))]  # rounded up
        few_clips = replace(table, clips=few, classes=builder.columns)
        rows.append(_data_rows(builder, few_clips, 1 if number else repeats))
    if made.background is not None:
        table_of_noise = replace(made.background.table, classes=builder.columns)
        rows.append(_data_rows(builder, replace(made.background, table=table_of_noise), repeats))
    return join_batches(rows)


def reject_bank(builder: RowBuilder, judged: EmbeddedTable) -> Component | None:
    """The backbone's bank as none of the new labels; of old labels, the base's own scores are kept.

    A base that knows music is right to hear it in the bank.
    """
    bank = find_bank(builder.backbone)
    if bank is None:
        return None
    learnt = leave_out_likenesses(bank.split()[0], judged)
    rows = builder.base_rows_of(learnt.embeddings[:: builder.stride], without_new=True)
    return Component(rows, BANK_SHARE)


def _data_rows(builder: RowBuilder, source: PatchSource, weight: int) -> Batch:
    batching = Batching(balance="weights", exclusive=builder.activation == "softmax")
    rows = join_batches(list(iterate_batches(Strided(source, builder.stride), batching)))
    return rows._replace(weights=rows.weights * np.float32(weight))


def rehearse_outputs(builder: RowBuilder, unjudged: ClipTable, memory: Embeddings | None) -> Batch:
    """The base's own scores (distillation) of its replay memory, of noise, and of unjudged clips."""
    noise = embed_background(builder.columns, builder.backbone, builder.cache, builder.recipe.seed)
    rows = [builder.base_rows(noise, without_new=True)]
    if memory is not None:
        rows.append(builder.base_rows_of(memory, without_new=True))
    if unjudged.clips:
        clips = builder.embed(unjudged, preparation.AS_IS, "embedding clips without a verdict")
        rows.append(builder.base_rows(clips))
    return join_batches(rows)
