"""Takes of a class that sound alike: five of them teach no more than one."""

import logging
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from trainer.data.activity import cached_levels
from trainer.data.clips import BACKGROUND
from trainer.data.patches import EmbeddedTable

log = logging.getLogger(__name__)

# Cosine distance of YAMNet's embeddings, the median over pairs of five clips. On ESC-10, of one recording
# that is played again, shifted, at another level and with noise 10 to 40 dB below: 95 in 100 draws are
# under 0.045. Of five recordings of a class: 95 in 100 are over 0.062, whatever the class.
ALIKE_DISTANCE = 0.05
_LEAST_TAKES = 3
_MOST_TAKES = 30  # of a class: all pairs are compared
BELOW_LOUDEST_DB = 10.0  # the patches that stand for a take: silence is alike everywhere


def warn_of_alike_takes(table: EmbeddedTable, classes: Collection[str]) -> None:
    """Log the classes whose clips sound alike.

    Raises:
        DataError: a clip that was embedded can no longer be read, or the cache is full.
    """
    for name in classes:
        spread = takes_spread(table, name)
        if spread is not None and spread < ALIKE_DISTANCE:
            log.warning(
                "class %s: its clips sound like one recording (distance %.3f, usually over %g): expect "
                "the sound to be missed elsewhere; record it on other days, from other places",
                name,
                spread,
                ALIKE_DISTANCE,
            )


def takes_spread(table: EmbeddedTable, name: str) -> float | None:
    """The median cosine distance between the clips of a class, [0, 2]; None of fewer than three.

    Clips with other labels beside it are left out, and background has no takes.
    """
    found = [index for index, each in enumerate(table.clips) if each.clip.labels == {name}]
    if name == BACKGROUND or len(found) < _LEAST_TAKES:
        return None
    few = np.linspace(0, len(found) - 1, min(len(found), _MOST_TAKES), dtype=int).tolist()
    takes = np.stack([loudest(table, found[place]) for place in few])
    distances = 1.0 - takes @ takes.T
    return float(np.median(distances[np.triu_indices(len(takes), 1)]))


def loudest(table: EmbeddedTable, index: int) -> NDArray[np.float32]:
    """The mean embedding of a clip's loudest patches, of length 1, float32 (D,)."""
    levels = cached_levels(table.clips[index], table)
    embeddings = table.load(index).inputs[: len(levels)]
    mean = embeddings[levels[: len(embeddings)] >= levels.max() - BELOW_LOUDEST_DB].mean(axis=0)
    unit: NDArray[np.float32] = mean / max(float(np.linalg.norm(mean)), np.finfo(np.float32).tiny)
    return unit
