"""Classroom: all that a correction is learnt from, read and embedded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from listener.detection.bundle import Bundle
from listener.detection.scores import slot_boundaries
from trainer.data.batches import Batch, Batching, iterate_batches
from trainer.data.cache import EmbeddingCache
from trainer.data.clip_store import read_store
from trainer.data.clips import BACKGROUND, Clip, ClipTable
from trainer.data.folds import hold_out
from trainer.data.formats import read_clips
from trainer.data.patches import EmbeddedTable, PatchSource
from trainer.data.preparation import AS_IS
from trainer.errors import DataError
from trainer.evaluation.regression import RegressionSet, make_regression_set, read_regression
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.selection import match_classes, paths_of, seen_paths
from trainer.provenance import provenance_of
from trainer.retraining.base_bundle import lesson_of, open_base_backbone
from trainer.retraining.correction import Part, join_rows, learn_correction
from trainer.retraining.holdout import Holdout, spare_some
from trainer.retraining.linear_head import LinearHead, read_head
from trainer.retraining.rows import RowBuilder, judged_rows
from trainer.retraining.thresholds import Files
from trainer.retraining.verdicts import Judged, Verdicts, named_columns, read_verdicts
from trainer.terminal import ReportClips
from trainer.training.sampling import Embeddings, InMemory, Strided, read_memory, thin_out
from trainer.training.training_set import embed_background, gather

log = logging.getLogger(__name__)

MOST_PATCHES = 40_000  # of the base's data in memory: 160 MB of YAMNet's embeddings
MOST_AMBIENT = 600  # clips; more hours of a room teach little


# What keeps old classes while new things are learnt: the base's own data, or else its own outputs.


@dataclass(frozen=True, slots=True)
class BaseData:
    """The clips that the base learnt from, to be learnt from again, and those that it never did."""

    learnt: ClipTable
    held_out: ClipTable


def read_base_data(paths: Sequence[Path], base: Bundle) -> BaseData:
    """Data sets as the base knew them, by the content of their files; classes are its slugs.

    Of a base that learnt from no files, a published network's, some recordings are held back.

    Raises:
        DataError: data that cannot be used, a class that the base does not know, or none of its files.
    """
    table = match_classes(read_clips(paths), base)
    if "training_files" not in provenance_of(base.manifest):
        folds = tuple(sorted({clip.fold for clip in table.clips}))
        return BaseData(*hold_out(table, folds))
    seen = seen_paths(base, paths_of(table), ("training_files",))
    if not seen:
        raise DataError(
            f"{paths[0]}: expected files that {base.id} learnt from, found none of "
            f"{len(paths_of(table))}: were they changed?"
        )
    learnt, held_out = _part(table.clips, seen)
    return BaseData(replace(table, clips=learnt), replace(table, clips=held_out))


def _part(clips: Sequence[Clip], seen: set[Path]) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    return (
        tuple(clip for clip in clips if clip.path in seen),
        tuple(clip for clip in clips if clip.path not in seen),
    )


def rehearse_data(kitchen: RowBuilder, learnt: ClipTable) -> Batch:
    """The base's clips, their copies and background as it learnt them; from the cache where it can."""
    material = gather(learnt, kitchen.backbone, kitchen.cache, kitchen.lesson, kitchen.report)
    own, *copies = (replace(table, classes=kitchen.columns) for table in material.tables)
    tables = [_thin_out(table, kitchen.stride, 1 + len(copies)) for table in (own, *copies)]
    repeats = [material.repeats, *[1] * len(copies)] if copies else [1]
    rows = [_rows(kitchen, table, weight) for table, weight in zip(tables, repeats, strict=True)]
    if material.background is not None:
        rows.append(_rows(kitchen, _with_columns(material.background, kitchen), repeats[0]))
    return join_rows(rows)


def _thin_out(table: EmbeddedTable, stride: int, tables: int) -> EmbeddedTable:
    """Every n-th clip, so that all tables together have about MOST_PATCHES at most."""
    patches = tables * sum(table.patch_counts) // stride
    return replace(table, clips=table.clips[:: max(1, -(-patches // MOST_PATCHES))])


def _with_columns(background: InMemory, kitchen: RowBuilder) -> InMemory:
    return replace(background, table=replace(background.table, classes=kitchen.columns))


def _rows(kitchen: RowBuilder, source: PatchSource, weight: int) -> Batch:
    exclusive = kitchen.activation == "softmax"
    batching = Batching(balance="weights", exclusive=exclusive)
    rows = join_rows(list(iterate_batches(Strided(source, kitchen.stride), batching)))
    return rows._replace(weights=rows.weights * np.float32(weight))


def rehearse_outputs(kitchen: RowBuilder, unjudged: ClipTable, memory: Embeddings | None) -> Batch:
    """The bundle's own outputs (distillation) on what it remembers, noise, and unjudged clips."""
    backbone, cache, seed = kitchen.backbone, kitchen.cache, kitchen.lesson.seed
    noise = embed_background(kitchen.columns, backbone, cache, seed)
    rows = [kitchen.rows_before(noise, nothing_new=True)]
    if memory is not None:
        rows.append(kitchen.embeddings_before(memory, nothing_new=True))
    if unjudged.clips:
        clips = kitchen.embed(unjudged, AS_IS, "embedding clips without a verdict")
        rows.append(kitchen.rows_before(clips))
    return join_rows(rows)


REHEARSAL_SHARE, VERDICT_SHARE, AMBIENT_SHARE = 0.5, 0.3, 0.2  # of every batch


@dataclass(frozen=True, slots=True)
class CorrectionData:
    """What is learnt from, in three parts, and by what it is judged.

    `judged` are the clips with a verdict and `verdicts` the rows of each; `ambient` are this room's
    clips. `memory` is what the base remembers of what it learnt from. `held_out` judges this learning,
    and with `new_held`, clips of the new labels, the next one.
    """

    kitchen: RowBuilder
    station: Verdicts
    judged: tuple[Judged, ...]
    judged_clips: EmbeddedTable
    verdicts: tuple[Batch, ...]
    ambient: EmbeddedTable
    beside: tuple[Part, ...]
    memory: Embeddings | None
    held_out: RegressionSet | None
    new_held: RegressionSet | None
    sparing: Holdout

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of the bundle to come, in the order of its scores."""
        return self.kitchen.labels

    @property
    def held_out_next(self) -> RegressionSet | None:
        """What the new bundle is held to; without clips of old labels new ones would prove too much."""
        if self.held_out is None or self.new_held is None:
            return self.held_out
        return self.held_out.joined_with(self.new_held)

    @property
    def start(self) -> LinearHead:
        """The base's head with an output for each column."""
        head, rehearsal = self.kitchen.before, self.beside[0].rows.inputs
        new_logit = head.unlikely_logit(rehearsal, self.kitchen.activation)
        return head.with_outputs(list(self.kitchen.places), new_logit)

    def remembered(self) -> Embeddings | None:
        """What the new bundle remembers: what the base does, and the clips with a verdict."""
        if self.memory is None:
            return None
        thinned = Strided(self.judged_clips, self.kitchen.stride)
        judged = [thinned.load(index).inputs for index in range(len(self.judged))]
        return thin_out([self.memory, *judged])

    def score_clip(self, clips: EmbeddedTable, index: int, head: LinearHead) -> ScoredFile:
        """What the daemon would see of a clip with this head."""
        patches = clips.load(index)
        scores = self._label_scores(patches.inputs, head)
        return ScoredFile(
            "clip", scores, slot_boundaries(len(scores), patches.seconds, clips.features)
        )

    def score_held_out(self, head: LinearHead) -> Files:
        """The held-out clips of old labels with this head, if there are any."""
        backbone = self.kitchen.backbone
        seconds = backbone.features.patch_seconds
        if self.held_out is None:
            return Files((), seconds)
        files = self.held_out.score_files(
            lambda patches: self._label_scores(backbone.embed(patches), head), seconds
        )
        return Files(tuple(files), seconds)

    def _label_scores(self, embeddings: Embeddings, head: LinearHead) -> Embeddings:
        return head.scores(embeddings, self.kitchen.activation)[:, : len(self.labels)]

    def learn(self, judged: Sequence[int]) -> LinearHead:
        """The base's head, corrected by some of the judged clips and all that is learnt beside them.

        Raises:
            FitError: see `learn_correction`.
        """
        lesson = self.kitchen.lesson
        verdicts = [self.verdicts[index] for index in judged]
        said = [Part(join_rows(verdicts), VERDICT_SHARE)] if verdicts else []
        named = named_columns(self.kitchen.columns, self.judged)
        return learn_correction(
            self.start, (*self.beside, *said), lesson.fit, lesson.batch_size, named
        )


def prepare(
    base: Bundle,
    clips: Path,
    data: Sequence[Path],
    cache: Path,
    report: ReportClips,
    *,
    new_classes: bool,
) -> CorrectionData:
    """Read and embed.

    Raises:
        DataError, BackboneError, BundleError: one line on what cannot be used.
    """
    station = read_verdicts(read_store(clips), base, new_classes=new_classes)
    sparing = spare_some(station, base)
    base_data = read_base_data(data, base) if data else None
    head = read_head(base)
    memory = read_memory(base)
    kitchen = _open_kitchen(base, head, station, cache, report)
    judged_clips, verdicts = judged_rows(
        kitchen, station.table(each.clip for each in sparing.judged), station.ambient
    )
    usable = {each.clip.path for each in judged_clips.clips}
    ambient = kitchen.embed(station.table(_few(station)), AS_IS, "embedding ambient clips")
    return CorrectionData(
        kitchen,
        station,
        tuple(each for each in sparing.judged if each.clip.path in usable),
        judged_clips,
        tuple(verdicts),
        ambient,
        _beside(kitchen, station, base_data, ambient, memory),
        memory,
        _held_out(base, base_data, kitchen),
        _new_held(sparing, kitchen),
        sparing,
    )


def _open_kitchen(
    base: Bundle, head: LinearHead, station: Verdicts, cache: Path, report: ReportClips
) -> RowBuilder:
    return RowBuilder(
        open_base_backbone(base),
        EmbeddingCache(cache),
        lesson_of(base),
        head,
        station.columns,
        _places(base, head, station.columns),
        report,
    )


def _places(base: Bundle, head: LinearHead, columns: tuple[str, ...]) -> tuple[int | None, ...]:
    """Where the base's head has each column; its background is the output after the labels."""
    places: dict[str, int] = {label: place for place, label in enumerate(base.labels)}
    if head.outputs > len(base.labels):
        places[BACKGROUND] = len(base.labels)
    return tuple(places.get(column) for column in columns)


def _few(station: Verdicts) -> Sequence[Clip]:
    step = -(-len(station.ambient) // MOST_AMBIENT)  # rounded up
    return station.ambient[:: max(step, 1)]


def _beside(
    kitchen: RowBuilder,
    station: Verdicts,
    data: BaseData | None,
    ambient: EmbeddedTable,
    memory: Embeddings | None,
) -> tuple[Part, ...]:
    """What is learnt from beside the verdicts."""
    known = (
        rehearse_outputs(kitchen, station.table(station.unjudged), memory)
        if data is None
        else rehearse_data(kitchen, data.learnt)
    )
    rehearsal = Part(known, REHEARSAL_SHARE)
    if not ambient.clips:
        return (rehearsal,)
    rows = [kitchen.rows_of(ambient, index) for index in range(len(ambient.clips))]
    return (rehearsal, Part(join_rows(rows), AMBIENT_SHARE))


def _held_out(base: Bundle, data: BaseData | None, kitchen: RowBuilder) -> RegressionSet | None:
    """What the base holds, else clips of its data that it never learnt from."""
    kept = read_regression(base)
    if kept is not None or data is None or not data.held_out.clips:
        return kept
    table = data.held_out
    return make_regression_set(table, table.classes, kitchen.backbone.features)


def _new_held(sparing: Holdout, kitchen: RowBuilder) -> RegressionSet | None:
    table = ClipTable(sparing.held, kitchen.labels)
    return make_regression_set(table, table.classes, kitchen.backbone.features)
