"""The material of lessons, gathered once for all that differ only in how they learn from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from trainer.augment.augmentation import Augmentation
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import ClipTable
from trainer.model.backbones import Backbone
from trainer.model.progress import clips_bar
from trainer.training.recipe import Lesson
from trainer.training.training_set import Material, gather


@dataclass(frozen=True, slots=True)
class Materials:
    """A table of clips and the backbone that embeds them."""

    table: ClipTable
    backbone: Backbone
    cache: EmbeddingCache
    _gathered: dict[tuple[Augmentation, int], Material] = field(default_factory=dict)

    def of(self, lesson: Lesson) -> Material:
        """What the lesson learns from; all lessons asked for share activation, background and seed.

        Raises:
            DataError, BackboneError: see `gather`.
        """
        key = lesson.augmentation, lesson.copies
        if key not in self._gathered:
            with clips_bar() as report:
                material = gather(self.table, self.backbone, self.cache, lesson, report)
            self._gathered[key] = material
        return replace(self._gathered[key], repeats=lesson.repeats)
