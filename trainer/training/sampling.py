"""Which patches are trained on: sources joined, thinned out and cached, and a bundle's replay memory."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.params import FeatureParams
from trainer.data.clips import BACKGROUND, ClipTable
from trainer.data.patches import ClipPatches, PatchSource
from trainer.data.targets import patch_targets
from trainer.export.arrays import arrays_as_bytes, open_arrays

LEAST_STEPS = 40  # in an epoch of a head: from a dozen clips it learns nothing in twenty steps
# Of embeddings, for the clips and for each copy of them: enough for 500 clips of 5 s. What is beyond is
# read again in each epoch, so that ten times the clips take no more memory.
CACHE_BYTES = 24 * 2**20
MEMORY_FILE = "memory.npz"
MOST_EMBEDDINGS = 2000  # in a bundle's replay memory: 4 MB of YAMNet's

Embeddings = NDArray[np.float32]  # (n, D)


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
        left = index
        for source in self.sources:
            count = len(source.table.clips)
            if left < count:
                return source.load(left)
            left -= count
        raise IndexError(f"expected one of {index - left} clips, got number {index}")


@dataclass(frozen=True, slots=True)
class Strided:
    """A `PatchSource` with every `stride`-th patch of another: overlapping neighbours add little."""

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


class CachedPatches:
    """A `PatchSource` that keeps what it loads in memory, up to a number of bytes."""

    def __init__(self, source: PatchSource, limit_bytes: int = CACHE_BYTES) -> None:
        self.table, self.features = source.table, source.features
        self._source = source
        self._cached: dict[int, ClipPatches] = {}
        self._free_bytes = limit_bytes

    def load(self, index: int) -> ClipPatches:
        """The patches of one clip."""
        patches = self._cached.get(index) or self._source.load(index)
        if index not in self._cached and patches.inputs.nbytes <= self._free_bytes:
            self._cached[index] = patches
            self._free_bytes -= patches.inputs.nbytes
        return patches


def draw_memory(source: PatchSource) -> Embeddings:
    """A replay memory: from every clip some embeddings of where its labels are heard."""
    clips, classes = source.table.clips, source.table.classes
    of_each = max(1, MOST_EMBEDDINGS // max(len(clips), 1))
    sounds = [name != BACKGROUND for name in classes]
    chosen = []
    for index in range(0, len(clips), max(1, -(-len(clips) // MOST_EMBEDDINGS))):
        patches = source.load(index)
        count, seconds = len(patches.inputs), patches.seconds
        targets = patch_targets(
            clips[index], classes, count, seconds, source.features, exclusive=True
        )
        heard = targets.values[:, sounds].any(axis=1)
        chosen.append(thin_out(patches.inputs[heard] if heard.any() else patches.inputs, of_each))
    return np.concatenate(chosen)


def thin_out(embeddings: Embeddings, most: int) -> Embeddings:
    """At most so many of them, evenly spaced."""
    count = min(len(embeddings), most)
    return embeddings[np.linspace(0, len(embeddings) - 1, count, dtype=int)]


def memory_bytes(embeddings: Embeddings) -> bytes:
    """The content of MEMORY_FILE, float16."""
    return arrays_as_bytes(embeddings=embeddings.astype(np.float16))


def read_memory(bundle: Bundle) -> Embeddings | None:
    """A bundle's replay memory; None if it has none.

    Raises:
        BundleError: the file holds something else.
    """
    if MEMORY_FILE not in bundle.manifest.files:
        return None
    with open_arrays(bundle, MEMORY_FILE, "embeddings") as arrays:
        return np.asarray(arrays["embeddings"], np.float32)
