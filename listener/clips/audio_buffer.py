"""The last seconds of one source and its scores, from which clips are cut."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import AudioChunk, Samples
from listener.detection.clip import ClipAnalysis
from listener.detection.scores import PatchScores


class SampleRing:
    """A ring buffer of the newest samples of a source, read by sample range."""

    def __init__(self, sample_rate_hz: int, seconds: float) -> None:
        self._ring = np.zeros(max(1, round(sample_rate_hz * seconds)), np.float32)
        self._start = 0
        self._end = 0

    @property
    def start(self) -> int:
        """Index of the oldest sample in the ring."""
        return self._start

    @property
    def end(self) -> int:
        """Index after the newest sample."""
        return self._end

    def push(self, chunk: AudioChunk) -> None:
        """Add the next chunk; skipped samples are filled with silence, a jump back starts over."""
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
        """Where the samples from `start` to before `end` start, and a copy of those in the ring.

        The array is shorter, or empty, where samples are too old or not there yet.
        """
        start = min(max(start, self._start), self._end)
        end = min(max(end, start), self._end)
        indices = np.arange(start, end) % len(self._ring)
        return start, self._ring[indices]


@dataclass(frozen=True, slots=True)
class BufferSlot:
    """Scores float16 (K,), embedding float16 (D,), scores of groups' members float16 (M,) of one slot.

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
        """Seconds."""
        return (self.onset + self.offset) / 2


@dataclass(frozen=True, slots=True)
class Segment:
    """Audio without a hole; `captured_at` is the time of its first sample."""

    captured_at: float
    samples: Samples
    slots: tuple[BufferSlot, ...]
    private: bool

    def analysis(self, labels: tuple[str, ...], seconds: float) -> ClipAnalysis:
        """The scores and embeddings of its slots; `seconds` is its length."""
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
    """The last `seconds` of a stream, since its last hole, at the model's sample rate."""

    def __init__(self, sample_rate_hz: int, seconds: float) -> None:
        self.sample_rate_hz, self._seconds = sample_rate_hz, seconds
        self.clear()

    def clear(self) -> None:
        """Forget everything: a hole came."""
        self._ring = SampleRing(self.sample_rate_hz, self._seconds)
        self._slots: deque[BufferSlot] = deque()
        self._last: AudioChunk | None = None

    def push_audio(self, chunk: AudioChunk) -> None:
        """Add the next samples; a jump in `AudioChunk.start` is a hole."""
        if self._last is not None and chunk.start != self._last.end:
            self.clear()
        self._ring.push(chunk)
        self._last = chunk.tail

    def add(self, row: PatchScores, *, private: bool) -> None:
        """Add the next slot."""
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
        return 0.0 if self._last is None else self._last.time_of(self._ring.start)

    @property
    def ended_at(self) -> float:
        """Time after the newest sample, seconds."""
        return 0.0 if self._last is None else self._last.time_of(self._ring.end)

    def slot_before(self, count: int) -> BufferSlot | None:
        """The slot `count` before the newest one; None if there are fewer."""
        return self._slots[-1 - count] if count < len(self._slots) else None

    def cut(self, start: float, end: float) -> Segment | None:
        """The audio and slots between two times, seconds; None without a sample."""
        last = self._last
        if last is None:
            return None
        rate_hz = self.sample_rate_hz
        first, samples = self._ring.read(
            last.start + round((start - last.captured_at) * rate_hz),
            last.start + round((end - last.captured_at) * rate_hz),
        )
        if not len(samples):
            return None
        start, end = last.time_of(first), last.time_of(first + len(samples))
        inside = tuple(slot for slot in self._slots if start <= slot.centre < end)
        private = any(s.private for s in self._slots if s.offset > start and s.onset < end)
        return Segment(start, samples, inside, private)
