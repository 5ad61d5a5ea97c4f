"""The patch grid of a stream, and how chunks are cut at it, so that each completes one patch."""

from dataclasses import dataclass, replace

import numpy as np

from listener.detection.audio import AudioChunk
from listener.detection.params import FeatureParams


@dataclass(frozen=True, slots=True)
class PatchGrid:
    """Where the patches of a stream are: the first begins at sample `origin`, each next one a hop later."""

    params: FeatureParams
    origin: int = 0

    def missing_samples(self, end: int) -> int:
        """Samples still to come after index `end`, not before the origin, until a patch is whole."""
        past_first = end - self.origin - self.params.window_samples
        if past_first < 0:
            return -past_first
        return self.params.patch_hop_samples - past_first % self.params.patch_hop_samples


class PatchCutter:
    """Chunks of any length at the model's rate -> chunks that complete one patch each.

    The first chunk is a whole window, each later one a patch hop. A jump in `AudioChunk.start` begins a
    new grid; what was left before the jump comes out as it is.
    """

    def __init__(self, grid: PatchGrid) -> None:
        self._grid = self._followed = grid
        self._pending: list[AudioChunk] = []
        self._end: int | None = (
            None  # after the last sample; None: the next chunk begins a new grid
        )

    @property
    def missing_samples(self) -> int:
        """Samples still to come until the next patch is whole."""
        end = self._grid.origin if self._end is None else self._end
        return self._grid.missing_samples(end)

    def push(self, chunk: AudioChunk) -> list[AudioChunk]:
        """The chunks that this one completes."""
        whole = []
        if chunk.start != self._end:
            whole += self.finish()
            self._grid = replace(self._grid, origin=chunk.start)
        self._end = chunk.end
        while len(chunk.samples) > (missing := self._grid.missing_samples(chunk.start)):
            head, chunk = chunk.split(missing)
            whole.append(self._join(head))
        if len(chunk.samples) == missing:  # as captures read, if the source has the model's rate
            whole.append(self._join(chunk))
        elif len(chunk.samples):
            self._pending.append(chunk)
        return whole

    def _join(self, last: AudioChunk) -> AudioChunk:
        if not self._pending:
            return last
        chunks, self._pending = [*self._pending, last], []
        return replace(chunks[0], samples=np.concatenate([chunk.samples for chunk in chunks]))

    def finish(self) -> list[AudioChunk]:
        """What is left, if anything; the next chunk begins a new grid."""
        self._end = None
        return [self._join(self._pending.pop())] if self._pending else []

    def realign(self) -> None:
        """Move the grid after chunks were lost on the way: patches now begin at one of its cuts.

        Cuts are a window and any number of hops after the origin. On the old grid each patch would wait for
        a chunk that ends nearly a patch hop later.
        """
        shift = self._grid.params.window_samples % self._grid.params.patch_hop_samples
        self._grid = replace(self._grid, origin=self._grid.origin + shift)

    def follow(self, grid: PatchGrid) -> None:
        """Cut at `grid` from here on, if it is another one than at the last call.

        An origin that is still to come belongs to an earlier stream: patches then begin here.
        """
        if grid is not self._followed:
            self._followed = grid
            end = self._end if self._end is not None else grid.origin
            self._grid = replace(grid, origin=min(grid.origin, end))
