"""What a bundle remembers of the clips that it learnt from: a few embeddings, for the day the data is gone.

No audio can be made of them. What the bundle says of them is what a later learning must not change.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from trainer.bundle_arrays import arrays_as_bytes, open_arrays
from trainer.data.clips import BACKGROUND
from trainer.data.patches import PatchSource
from trainer.data.targets import patch_targets

MEMORY_FILE = "memory.npz"
MOST_EMBEDDINGS = 2000  # 4 MB of YAMNet's

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
