"""What there is to learn from: clips, their varied copies, and background; all embedded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from listener.detection.audio import Samples
from trainer.augment.augmentation import augment
from trainer.data.activity import mark_activity
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import ClipTable, without_background
from trainer.data.embedding import Progress, embed_table
from trainer.data.patches import EmbeddedTable, LogMelTable, PatchSource
from trainer.data.preparation import AS_IS, Preparation
from trainer.model.backbones import Backbone
from trainer.teaching.generated import embed_background, generate_background
from trainer.teaching.lesson import Lesson
from trainer.teaching.sources import Held, InMemory, Joined, Thinned

_ROUNDING = 1e-6  # of quotients of decimal seconds

ReportClips = Callable[[str], Progress]  # what is being embedded -> how far it is


@dataclass(frozen=True, slots=True)
class Material:
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

    def in_folds(self, *folds: int) -> Material:
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
        clips, *copies = (Held(Thinned(table, self.stride)) for table in tables)
        pure = [clips] if background is None else [clips, Thinned(background, self.stride)]
        return Joined((*pure * (self.repeats if copies else 1), *copies))


def gather(
    table: ClipTable, backbone: Backbone, cache: EmbeddingCache, lesson: Lesson, report: ReportClips
) -> Material:
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
    return Material(relabelled, preparations, background, stride, lesson.repeats, lesson.seed)


def stride_of(hop_seconds: float, learnt_hop_seconds: float) -> int:
    """How many hops are at most the hop to learn from; at least one."""
    return max(1, math.floor(learnt_hop_seconds / hop_seconds + _ROUNDING))


def _nth(number: int) -> str:
    return f"copy {number}" if number else "clips"


def _vary(lesson: Lesson, number: int) -> Preparation:
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
