"""The newest sound of one source and what the model made of it, from which clips are cut."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import AudioChunk, Samples
from listener.detection.clip import ClipAnalysis
from listener.detection.scores import PatchScores

# The last seconds of one source, read by sample range.


class SampleRing:
    """A ring of the newest samples of a source, so that a clip can begin before its event."""

    def __init__(self, sample_rate_hz: int, seconds: float) -> None:
        self._ring = np.zeros(max(1, round(sample_rate_hz * seconds)), np.float32)
        self._start = 0
        self._end = 0

    @property
    def start(self) -> int:
        """Index of the oldest sample that is still here."""
        return self._start

    @property
    def end(self) -> int:
        """Index after the newest sample."""
        return self._end

    def push(self, chunk: AudioChunk) -> None:
        """Take the next chunk; what a jump in `start` skipped is silence, a jump back begins anew."""
        empty = self._start == self._end
        if empty or chunk.start < self._end or chunk.start - self._end >= len(self._ring):
            self._start = self._end = chunk.start
        if chunk.start > self._end:
            self._write(np.zeros(chunk.start - self._end, np.float32))
        self._write(chunk.samples)

    def _write(self, samples: Samples) -> None:
        size = len(self._ring)
        self._end += len(samples)
        newest = samples[-size:]
        first = (self._end - len(newest)) % size
        upto_edge = min(len(newest), size - first)
        self._ring[first : first + upto_edge] = newest[:upto_edge]
        self._ring[: len(newest) - upto_edge] = newest[upto_edge:]
        self._start = max(self._start, self._end - size)

    def read(self, start: int, end: int) -> tuple[int, Samples]:
        """A copy of the samples from `start` to before `end` that are still here, and where they start.

        What is too old or has not come yet is left out: the array may be shorter, or empty.
        """
        start = min(max(start, self._start), self._end)
        end = min(max(end, start), self._end)
        indices = np.arange(start, end) % len(self._ring)
        return start, self._ring[indices]


@dataclass(frozen=True, slots=True)
class BufferSlot:
    """A slot; scores float16 (K,), embedding float16 (D,), scores of groups' members float16 (M,).

    `private`: people were heard in it.
    """

    onset: float
    offset: float
    scores: NDArray[np.float16]
    embedding: NDArray[np.float16]
    members: NDArray[np.float16]
    private: bool

    @property
    def centre(self) -> float:
        """The middle of it, seconds."""
        return (self.onset + self.offset) / 2


@dataclass(frozen=True, slots=True)
class Segment:
    """Sound without a hole; `captured_at` is the time of its first sample."""

    captured_at: float
    samples: Samples
    slots: tuple[BufferSlot, ...]
    private: bool

    def analysis(self, labels: tuple[str, ...], seconds: float) -> ClipAnalysis:
        """The scores and embeddings of its slots; `seconds` is how long it is."""
        edges = [slot.onset for slot in self.slots] + [slot.offset for slot in self.slots[-1:]]
        boundaries = np.clip(np.array(edges or [0.0]) - self.captured_at, 0.0, seconds)
        return ClipAnalysis(
            labels,
            boundaries,
            np.array([slot.scores for slot in self.slots], np.float16).reshape(-1, len(labels)),
            np.array([slot.embedding for slot in self.slots], np.float16).reshape(
                len(self.slots), -1 if self.slots else 0
            ),
        )


class AudioBuffer:
    """The last `seconds` since the last hole in a source's stream; chunks come at the model's rate."""

    def __init__(self, sample_rate_hz: int, seconds: float) -> None:
        self.sample_rate_hz, self._seconds = sample_rate_hz, seconds
        self.clear()

    def clear(self) -> None:
        """A hole: nothing before it is there any more."""
        self._history = SampleRing(self.sample_rate_hz, self._seconds)
        self._slots: deque[BufferSlot] = deque()
        self._last: AudioChunk | None = None

    def hear(self, chunk: AudioChunk) -> None:
        """Take the next samples; a jump in `AudioChunk.start` is a hole."""
        if self._last is not None and chunk.start != self._last.end:
            self.clear()
        self._history.push(chunk)
        self._last = chunk.tail

    def add(self, row: PatchScores, *, private: bool) -> None:
        """Take the next slot."""
        embedding = np.empty(0) if row.embedding is None else row.embedding
        members = np.empty(0) if row.members is None else row.members
        self._slots.append(
            BufferSlot(
                row.onset,
                row.offset,
                row.scores.astype(np.float16),
                embedding.astype(np.float16),
                members.astype(np.float16),
                private,
            )
        )
        if self._slots[0].offset < row.offset - self._seconds:
            self._slots.popleft()

    @property
    def began_at(self) -> float:
        """Time of the oldest sample, seconds."""
        return 0.0 if self._last is None else self._last.time_of(self._history.start)

    @property
    def ended_at(self) -> float:
        """Time after the newest sample, seconds."""
        return 0.0 if self._last is None else self._last.time_of(self._history.end)

    def slot_before(self, count: int) -> BufferSlot | None:
        """The slot `count` before the newest one, if it is there."""
        return self._slots[-1 - count] if count < len(self._slots) else None

    def cut(self, start: float, end: float) -> Segment | None:
        """What is there between two times; None if there is no sample."""
        last = self._last
        if last is None:
            return None
        first, samples = self._history.read(*(self._index(last, at) for at in (start, end)))
        if not len(samples):
            return None
        start, end = last.time_of(first), last.time_of(first + len(samples))
        inside = tuple(slot for slot in self._slots if start <= slot.centre < end)
        private = any(s.private for s in self._slots if s.offset > start and s.onset < end)
        return Segment(start, samples, inside, private)

    def _index(self, chunk: AudioChunk, at: float) -> int:
        return chunk.start + round((at - chunk.captured_at) * self.sample_rate_hz)
