"""Sources of the patches of clips, which load one clip at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from listener.detection.params import FeatureParams
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.preparation import AS_IS, Preparation, digest_file, prepare
from trainer.errors import DataError


@dataclass(frozen=True, slots=True)
class ClipPatches:
    """The inputs of a network from one clip, float32 (patches, ...), and its length in seconds."""

    inputs: NDArray[np.float32]
    seconds: float


class PatchSource(Protocol):
    """The clips of a table, to be loaded one by one."""

    @property
    def table(self) -> ClipTable:
        """The clips."""
        ...

    @property
    def features(self) -> FeatureParams:
        """How they are cut into patches."""
        ...

    def load(self, index: int) -> ClipPatches:
        """The patches of the clip of this index."""
        ...


@dataclass(frozen=True, slots=True)
class LogMelTable:
    """A `PatchSource` of log-mel patches, decoded anew each time: for a backbone that is fine-tuned."""

    table: ClipTable
    features: FeatureParams
    preparation: Preparation = AS_IS

    def load(self, index: int) -> ClipPatches:
        """The patches of one clip, float32 (patches, 96, 64).

        Raises:
            DataError: unusable audio; `EmbeddedTable.table` has none.
        """
        clip = self.table.clips[index]
        prepared = prepare(clip, self.features, self.preparation, digest_file(clip.path))
        return ClipPatches(prepared.patches, prepared.seconds)


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


class Embedder(Protocol):
    """A front end and a network that turns its patches into embeddings."""

    @property
    def features(self) -> FeatureParams:
        """How the patches are made."""
        ...

    @property
    def embedding_size(self) -> int:
        """D, the length of an embedding."""
        ...

    @property
    def id(self) -> str:
        """64 hexadecimal digits that change with the weights and with the front end."""
        ...

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel patches (B, frames, bands) -> embeddings (B, D); both float32, B may be 0."""
        ...
