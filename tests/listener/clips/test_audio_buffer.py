"""The ring of the newest samples, against a plain list that forgets nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.clips.audio_buffer import SampleRing
from listener.detection.audio import AudioChunk

SIZE = 10  # one second at 10 Hz


def chunk(start: int, values: list[float]) -> AudioChunk:
    return AudioChunk("hall", start, start / SIZE, SIZE, np.array(values, np.float32))


def filled(*starts_and_lengths: tuple[int, int]) -> SampleRing:
    """Each sample is its own index plus one, so that silence shows."""
    history = SampleRing(SIZE, 1.0)
    for start, length in starts_and_lengths:
        history.push(chunk(start, [float(k + 1) for k in range(start, start + length)]))
    return history


def test_it_holds_the_newest_samples_only():
    history = filled((0, 8), (8, 8))
    assert (history.start, history.end) == (6, 16)
    assert history.read(0, 100)[0] == 6
    assert history.read(0, 100)[1].tolist() == list(range(7, 17))


def test_a_range_is_cut_to_what_is_here():
    history = filled((0, 8))
    assert history.read(5, 7)[1].tolist() == [6, 7]
    assert history.read(6, 20)[1].tolist() == [7, 8]
    assert len(history.read(20, 30)[1]) == 0
    assert len(history.read(7, 5)[1]) == 0


def test_a_chunk_longer_than_the_ring_leaves_its_end():
    history = filled((0, 3), (3, 25))
    assert (history.start, history.end) == (18, 28)
    assert history.read(18, 28)[1].tolist() == list(range(19, 29))


def test_a_hole_is_silence():
    history = filled((0, 3), (5, 2))
    assert history.read(0, 7)[1].tolist() == [1, 2, 3, 0, 0, 6, 7]


def test_a_hole_longer_than_the_ring_leaves_what_came_after_it():
    history = filled((0, 3), (50, 2))
    assert (history.start, history.end) == (50, 52)
    assert history.read(0, 99)[1].tolist() == [51, 52]


def test_what_was_before_the_first_chunk_is_not_silence_but_nothing():
    history = filled((4, 3))
    assert (history.start, history.end) == (4, 7)
    assert history.read(0, 99)[1].tolist() == [5, 6, 7]


def test_a_jump_back_begins_anew():
    history = filled((40, 5), (0, 3))
    assert (history.start, history.end) == (0, 3)
    assert history.read(0, 99)[1].tolist() == [1, 2, 3]


def test_what_was_read_is_a_copy():
    history = filled((0, 3))
    _, before = history.read(0, 3)
    history.push(chunk(3, [9.0] * SIZE))
    assert before.tolist() == [1, 2, 3]


class Plain:
    """The same in a few obvious lines: a dict of all samples of this stretch."""

    def __init__(self) -> None:
        self.samples: dict[int, float] = {}

    def push(self, piece: AudioChunk) -> None:
        end = max(self.samples, default=-1) + 1
        if not self.samples or piece.start < end or piece.start - end >= SIZE:
            self.samples = {}  # it begins here
        else:
            self.samples |= dict.fromkeys(range(end, piece.start), 0.0)
        for index, value in enumerate(piece.samples.tolist(), start=piece.start):
            self.samples[index] = value

    def read(self, start: int, end: int) -> list[float]:
        newest = sorted(self.samples)[-SIZE:]
        return [self.samples[index] for index in newest if start <= index < end]


pushes = st.lists(st.tuples(st.integers(-15, 15), st.integers(1, 25)), max_size=12)


@settings(max_examples=200, deadline=None)
@given(pushes, st.integers(0, 120), st.integers(0, 40))
def test_any_pushes_and_reads_agree_with_a_plain_model(
    jumps: list[tuple[int, int]], start: int, length: int
):
    history, plain = SampleRing(SIZE, 1.0), Plain()
    at = 0
    for jump, size in jumps:
        at = max(0, at + (jump if jump % 3 == 0 else 0))  # most chunks follow on
        piece = chunk(at, [float(at * 7 % 13 + k + 1) for k in range(size)])
        history.push(piece)
        plain.push(piece)
        at += size
    found_at, found = history.read(start, start + length)
    assert found.tolist() == plain.read(start, start + length)
    assert not len(found) or found_at >= start
