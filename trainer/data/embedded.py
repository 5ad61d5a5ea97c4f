"""Clips whose embeddings lie in the cache."""

from __future__ import annotations

from dataclasses import dataclass, replace

from listener.detection.params import FeatureParams
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.patches import ClipPatches
from trainer.errors import DataError


@dataclass(frozen=True, slots=True)
class EmbeddedClip:
    """A clip, the key of its embeddings, how many patches it has and how long it is.

    `digest` is the SHA-256 of its file, for a bundle's provenance.
    """

    clip: Clip
    digest: str
    key: str
    patch_count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class EmbeddedTable:
    """A `PatchSource` of embeddings; only `load` reads them."""

    clips: tuple[EmbeddedClip, ...]
    classes: tuple[str, ...]
    quarantined: tuple[Quarantined, ...]
    features: FeatureParams
    cache: EmbeddingCache

    @property
    def table(self) -> ClipTable:
        """The clips that could be embedded, in the same order."""
        clips = tuple(embedded.clip for embedded in self.clips)
        return ClipTable(clips, self.classes, self.quarantined)

    @property
    def patch_counts(self) -> tuple[int, ...]:
        """The patches of each clip."""
        return tuple(embedded.patch_count for embedded in self.clips)

    def in_folds(self, *folds: int) -> EmbeddedTable:
        """The clips of these folds, with the same classes."""
        chosen = tuple(embedded for embedded in self.clips if embedded.clip.fold in folds)
        return replace(self, clips=chosen)

    def load(self, index: int) -> ClipPatches:
        """The embeddings of one clip, float32 (patches, D).

        Raises:
            DataError: the cache lost them since the table was made.
        """
        embedded = self.clips[index]
        entry = self.cache.load(embedded.key)
        if entry is None or len(entry.embeddings) != embedded.patch_count:
            raise DataError(
                f"cache {self.cache.path}: lost the embeddings of {embedded.clip.path} meanwhile"
            )
        return ClipPatches(entry.embeddings, entry.seconds)
