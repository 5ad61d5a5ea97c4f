"""Cuts a stream at the ends of its patches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from listener.detection.audio import AudioChunk
from listener.detection.params import FeatureParams


class PatchCutter:
    """Chunks of any length at the model's rate -> chunks that complete one patch each.

    The first of a stretch is a whole window, every later one a patch hop. A jump in `AudioChunk.start`
    begins a new stretch; what was left of the one before comes out as it is.
    """

    def __init__(self, params: FeatureParams) -> None:
        self._params = params
        self._parts: list[AudioChunk] = []
        self._next_start: int | None = None
        self.missing_samples = params.window_samples
        """Samples still to come until the next patch is whole."""

    def push(self, chunk: AudioChunk) -> list[AudioChunk]:
        """The chunks that this one completes."""
        whole = []
        if chunk.start != self._next_start:
            whole += self.finish()
        self._next_start = chunk.end
        while len(chunk.samples) > self.missing_samples:
            part, chunk = _split(chunk, self.missing_samples)
            whole.append(self._complete(part))
        if (
            len(chunk.samples) == self.missing_samples
        ):  # as captures read, where the rate is the model's
            whole.append(self._complete(chunk))
        elif len(chunk.samples):
            self._parts.append(chunk)
            self.missing_samples -= len(chunk.samples)
        return whole

    def _complete(self, last: AudioChunk) -> AudioChunk:
        self.missing_samples = self._params.patch_hop_samples
        return self._join(last)

    def finish(self) -> list[AudioChunk]:
        """What is left of the stretch, if anything; the next chunk begins a new one."""
        self.missing_samples = self._params.window_samples
        return [self._join(self._parts.pop())] if self._parts else []

    def realign(self) -> None:
        """What came before some cut was lost on the way: patches begin, and so end, anew from there.

        Without it each patch would wait for a chunk that ends nearly a patch hop after it.
        """
        hop = self._params.patch_hop_samples
        later = self.missing_samples + self._params.window_samples % hop
        self.missing_samples = later - hop if later > hop else later

    def follow(self, params: FeatureParams, origin: int) -> None:
        """From here on patches are those of `params`, the first of which began at sample `origin`.

        What is already here goes into the next chunk. An origin that is still to come, because it is
        one of a stream before, does not count.
        """
        self._params = params
        position = origin if self._next_start is None else max(self._next_start, origin)
        past = position - origin - params.window_samples
        hop = params.patch_hop_samples
        self.missing_samples = -past if past < 0 else hop - past % hop

    def _join(self, last: AudioChunk) -> AudioChunk:
        parts, self._parts = [*self._parts, last], []
        if len(parts) == 1:
            return last
        return replace(parts[0], samples=np.concatenate([part.samples for part in parts]))


def _split(chunk: AudioChunk, count: int) -> tuple[AudioChunk, AudioChunk]:
    rest = AudioChunk(
        source=chunk.source,
        start=chunk.start + count,
        captured_at=chunk.time_of(chunk.start + count),
        sample_rate_hz=chunk.sample_rate_hz,
        samples=chunk.samples[count:],
    )
    return replace(chunk, samples=chunk.samples[:count]), rest
