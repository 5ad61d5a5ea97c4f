"""What keeps old classes while new things are learnt: the base's own data, or else its own outputs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from listener.detection.bundle import Bundle
from trainer.data.batches import Batch, Batching, iterate_batches
from trainer.data.clips import Clip, ClipTable
from trainer.data.folds import hold_back
from trainer.data.formats import read_clips
from trainer.data.patches import EmbeddedTable, PatchSource
from trainer.data.preparation import AS_IS
from trainer.errors import DataError
from trainer.evaluation.matching import match_classes
from trainer.evaluation.unseen import TRAINING_FILES, paths_of, seen_paths
from trainer.learning.correction import join_rows
from trainer.learning.material import Kitchen
from trainer.training.sampling import Embeddings, InMemory, Thinned
from trainer.training.training_set import embed_background, gather

log = logging.getLogger(__name__)

MOST_PATCHES = 40_000  # of the base's data in memory: 160 MB of YAMNet's embeddings


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
    if TRAINING_FILES not in base.manifest.provenance:
        folds = tuple(sorted({clip.fold for clip in table.clips}))
        return BaseData(*hold_back(table, folds))
    seen = seen_paths(base, paths_of(table), (TRAINING_FILES,))
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


def rehearse_data(kitchen: Kitchen, learnt: ClipTable) -> Batch:
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


def _with_columns(background: InMemory, kitchen: Kitchen) -> InMemory:
    return replace(background, table=replace(background.table, classes=kitchen.columns))


def _rows(kitchen: Kitchen, source: PatchSource, weight: int) -> Batch:
    exclusive = kitchen.activation == "softmax"
    batching = Batching(balance="weights", exclusive=exclusive)
    rows = join_rows(list(iterate_batches(Thinned(source, kitchen.stride), batching)))
    return rows._replace(weights=rows.weights * np.float32(weight))


def rehearse_outputs(kitchen: Kitchen, unjudged: ClipTable, memory: Embeddings | None) -> Batch:
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
