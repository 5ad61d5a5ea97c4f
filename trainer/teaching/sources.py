"""Sources put together, and kept in memory while there is room."""

from __future__ import annotations

from dataclasses import dataclass, replace

from listener.detection.params import FeatureParams
from trainer.data.clips import ClipTable
from trainer.data.patches import ClipPatches, PatchSource

# Of embeddings kept in memory, for the clips and for each copy of them: enough for 500 clips of 5 s. Those
# beyond are read again each epoch, so that ten times the clips take no more memory.
HELD_BYTES = 24 * 2**20


@dataclass(frozen=True, slots=True)
class InMemory:
    """A `PatchSource` of few patches, log-mel or embedded."""

    table: ClipTable
    features: FeatureParams
    patches: tuple[ClipPatches, ...]

    def load(self, index: int) -> ClipPatches:
        """The patches of one clip."""
        return self.patches[index]


@dataclass(frozen=True, slots=True)
class Joined:
    """Several `PatchSource`s of the same classes, one after another."""

    sources: tuple[PatchSource, ...]

    @property
    def table(self) -> ClipTable:
        """All clips; a varied copy is a clip of its own."""
        first = self.sources[0].table
        clips = tuple(clip for source in self.sources for clip in source.table.clips)
        return ClipTable(clips, first.classes, first.quarantined)

    @property
    def features(self) -> FeatureParams:
        """Those of the first source."""
        return self.sources[0].features

    def load(self, index: int) -> ClipPatches:
        """The patches of one clip."""
        place = index
        for source in self.sources:
            count = len(source.table.clips)
            if place < count:
                return source.load(place)
            place -= count
        raise IndexError(f"expected one of {index - place} clips, got number {index}")


@dataclass(frozen=True, slots=True)
class Thinned:
    """A `PatchSource` with every `stride`-th patch of another: overlapping neighbours tell little new."""

    source: PatchSource
    stride: int

    @property
    def table(self) -> ClipTable:
        """The same clips."""
        return self.source.table

    @property
    def features(self) -> FeatureParams:
        """With the longer hop."""
        features = self.source.features
        return replace(features, patch_hop_seconds=self.stride * features.patch_hop_seconds)

    def load(self, index: int) -> ClipPatches:
        """The patches of one clip."""
        patches = self.source.load(index)
        return replace(patches, inputs=patches.inputs[:: self.stride])


class Held:
    """A `PatchSource` that remembers what it read while there is room."""

    def __init__(self, source: PatchSource, room_bytes: int = HELD_BYTES) -> None:
        self.table, self.features = source.table, source.features
        self._source = source
        self._held: dict[int, ClipPatches] = {}
        self._room = room_bytes

    def load(self, index: int) -> ClipPatches:
        """The patches of one clip."""
        patches = self._held.get(index) or self._source.load(index)
        if index not in self._held and patches.inputs.nbytes <= self._room:
            self._held[index] = patches
            self._room -= patches.inputs.nbytes
        return patches
