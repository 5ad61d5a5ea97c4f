"""Sources put together, and kept in memory while there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.params import FeatureParams
from trainer.data.clips import BACKGROUND, ClipTable
from trainer.data.patches import ClipPatches, PatchSource
from trainer.data.targets import patch_targets
from trainer.export.arrays import arrays_as_bytes, open_arrays

LEAST_STEPS = 40  # in an epoch of a head: of a dozen clips it learns nothing in twenty steps
# Of embeddings kept in memory, for the clips and for each copy of them: enough for 500 clips of 5 s. Those
# beyond are read again each epoch, so that ten times the clips take no more memory.
HELD_BYTES = 24 * 2**20
MEMORY_FILE = "memory.npz"
MOST_EMBEDDINGS = 2000  # 4 MB of YAMNet's


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
class Strided:
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


class HeldPatches:
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


# What a bundle remembers of the clips that it learnt from: a few embeddings, for the day the data is gone.


Embeddings = NDArray[np.float32]


def remember(source: PatchSource) -> Embeddings:
    """Embeddings from all clips of a source, (n, D), of where their labels are heard."""
    clips = source.table.clips
    most = max(1, MOST_EMBEDDINGS // max(len(clips), 1))
    step = max(1, -(-len(clips) // MOST_EMBEDDINGS))
    chosen = [_choose(source, index, most) for index in range(0, len(clips), step)]
    return np.concatenate(chosen)


def _choose(source: PatchSource, index: int, most: int) -> Embeddings:
    patches, classes = source.load(index), source.table.classes
    clip = source.table.clips[index]
    targets = patch_targets(
        clip, classes, len(patches.inputs), patches.seconds, source.features, exclusive=True
    )
    named = [name != BACKGROUND for name in classes]
    heard = np.flatnonzero(targets.values[:, named].any(axis=1))
    places = heard if len(heard) else np.arange(len(patches.inputs))
    count = min(len(places), most)
    return patches.inputs[places[np.linspace(0, len(places) - 1, count, dtype=int)]]


def thin_out(memories: Sequence[Embeddings]) -> Embeddings:
    """All of them together, some left out evenly where they are more than MOST_EMBEDDINGS."""
    joined = np.concatenate(memories)
    count = min(len(joined), MOST_EMBEDDINGS)
    return joined[np.linspace(0, len(joined) - 1, count, dtype=int)]


def memory_bytes(embeddings: Embeddings) -> bytes:
    """The content of MEMORY_FILE, float16."""
    return arrays_as_bytes(embeddings=embeddings.astype(np.float16))


def read_memory(bundle: Bundle) -> Embeddings | None:
    """What a bundle remembers, (n, D); None if it remembers nothing.

    Raises:
        BundleError: the file holds something else.
    """
    if MEMORY_FILE not in bundle.manifest.files:
        return None
    with open_arrays(bundle, MEMORY_FILE, "embeddings") as arrays:
        return np.asarray(arrays["embeddings"], np.float32)
