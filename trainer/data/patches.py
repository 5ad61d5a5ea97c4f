"""Where a data set gets the patches of a clip from: one clip at a time, when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from listener.detection.params import FeatureParams
from trainer.data.clips import ClipTable
from trainer.data.preparation import AS_IS, Preparation, digest_file, prepare


@dataclass(frozen=True, slots=True)
class ClipPatches:
    """What a network is given of a clip, float32 (patches, ...), and the clip's length in seconds."""

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
    """Log-mel patches, decoded anew each time: for a network whose blocks are thawed."""

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
