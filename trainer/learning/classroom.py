"""Classroom: all that a correction is learnt from, read and embedded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from listener.detection.bundle import Bundle
from listener.detection.scores import slot_boundaries
from trainer.data.batches import Batch
from trainer.data.cache import EmbeddingCache
from trainer.data.clip_store import read_store
from trainer.data.clips import BACKGROUND, Clip, ClipTable
from trainer.data.patches import EmbeddedTable
from trainer.data.preparation import AS_IS
from trainer.evaluation.regression import RegressionSet, make_regression_set, read_regression
from trainer.evaluation.spans import ScoredFile
from trainer.learning.base import lesson_of, open_base_backbone
from trainer.learning.correction import Part, join_rows, learn_correction
from trainer.learning.linear_head import LinearHead, read_head
from trainer.learning.material import Kitchen, ReportClips, judged_rows
from trainer.learning.placing import Files
from trainer.learning.rehearsal import BaseData, read_base_data, rehearse_data, rehearse_outputs
from trainer.learning.sparing import Sparing, spare_some
from trainer.learning.station import Judged, Station, named_columns, read_station
from trainer.training.sampling import Embeddings, Thinned, read_memory, thin_out

REHEARSAL_SHARE, VERDICT_SHARE, AMBIENT_SHARE = 0.5, 0.3, 0.2  # of every batch
MOST_AMBIENT = 600  # clips; more hours of a room teach little


@dataclass(frozen=True, slots=True)
class Classroom:
    """What is learnt from, in three parts, and by what it is judged.

    `judged` are the clips with a verdict and `verdicts` the rows of each; `ambient` are this room's
    clips. `memory` is what the base remembers of what it learnt from. `held_out` judges this learning,
    and with `new_held`, clips of the new labels, the next one.
    """

    kitchen: Kitchen
    station: Station
    judged: tuple[Judged, ...]
    judged_clips: EmbeddedTable
    verdicts: tuple[Batch, ...]
    ambient: EmbeddedTable
    beside: tuple[Part, ...]
    memory: Embeddings | None
    held_out: RegressionSet | None
    new_held: RegressionSet | None
    sparing: Sparing

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
        thinned = Thinned(self.judged_clips, self.kitchen.stride)
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
) -> Classroom:
    """Read and embed.

    Raises:
        DataError, BackboneError, BundleError: one line on what cannot be used.
    """
    station = read_station(read_store(clips), base, new_classes=new_classes)
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
    return Classroom(
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
    base: Bundle, head: LinearHead, station: Station, cache: Path, report: ReportClips
) -> Kitchen:
    return Kitchen(
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


def _few(station: Station) -> Sequence[Clip]:
    step = -(-len(station.ambient) // MOST_AMBIENT)  # rounded up
    return station.ambient[:: max(step, 1)]


def _beside(
    kitchen: Kitchen,
    station: Station,
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


def _held_out(base: Bundle, data: BaseData | None, kitchen: Kitchen) -> RegressionSet | None:
    """What the base holds, else clips of its data that it never learnt from."""
    kept = read_regression(base)
    if kept is not None or data is None or not data.held_out.clips:
        return kept
    table = data.held_out
    return make_regression_set(table, table.classes, kitchen.backbone.features)


def _new_held(sparing: Sparing, kitchen: Kitchen) -> RegressionSet | None:
    table = ClipTable(sparing.held, kitchen.labels)
    return make_regression_set(table, table.classes, kitchen.backbone.features)
