"""What all of these measurements share: ESC-10 embedded, heads trained as `trainer fit` does, accuracy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.materials import find_materials
from trainer.config import EMBEDDING_CACHE
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import ClipTable
from trainer.data.embedding import embed_table
from trainer.data.formats import read_clips
from trainer.data.patches import EmbeddedTable
from trainer.data.preparation import Preparation
from trainer.model.backbones import Backbone, open_backbone
from trainer.model.progress import OnEpoch
from trainer.training.fit_bundle import FIT_HOP_SECONDS
from trainer.training.recipe import Recipe
from trainer.training.train import Trained, split, train
from trainer.training.training_set import TrainingSet, make_training_set

FOLDS = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class School:
    """A backbone, its cache, ESC-10, and the lesson, which is the default of `trainer fit`."""

    backbone: Backbone
    cache: EmbeddingCache
    table: ClipTable
    lesson: Recipe

    def gather(self, table: ClipTable | None = None) -> TrainingSet:
        """A table's material; without one that of all of ESC-10."""
        return make_training_set(
            table or self.table, self.backbone, self.cache, self.lesson, _unseen
        )

    def embed(self, preparation: Preparation) -> EmbeddedTable:
        """ESC-10 changed in some way, to be tested on."""
        return embed_table(self.table, self.backbone, self.cache, preparation)

    def teach(
        self, material: TrainingSet, folds: tuple[int, ...], validation: int | None
    ) -> Trained:
        """As `trainer fit` does with these folds."""
        return train(split(material, folds, validation), self.backbone, self.lesson, quietly)


def open_school(lesson: Recipe | None = None) -> School:
    """YAMNet and ESC-10 of the shared folder; embeddings are kept where `trainer fit` keeps them.

    Raises:
        MaterialsError: they are not there.
    """
    materials = find_materials()
    return School(
        open_backbone(str(materials.yamnet), FIT_HOP_SECONDS),
        EmbeddingCache(EMBEDDING_CACHE),
        read_clips([materials.recordings[0].parent.parent]),
        lesson or Recipe(),
    )


@contextlib.contextmanager
def quietly(_what: str, _epochs: int) -> Iterator[OnEpoch]:
    """No bar for each of many trainings."""
    yield lambda _epoch: None


def _unseen(_what: str) -> Callable[[int, int], None]:
    return lambda _done, _total: None
