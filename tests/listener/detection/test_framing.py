"""The patch grid, and cuts at patch ends: the same whatever the chunks, each completes one patch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from listener.detection.audio import AudioChunk
from listener.detection.features import PatchStream
from listener.detection.framing import PatchCutter, PatchGrid
from listener.detection.params import FeatureParams
from tests.listener.detection.waveforms import RATE_HZ, cut, noise

GRID = PatchGrid(FeatureParams())
WINDOW, HOP = 15_600, 7_680
SIZES = st.lists(st.integers(1, 50_000), min_size=1, max_size=5)


def cuts(sizes: list[int], count: int, *, start: int = 0) -> list[AudioChunk]:
    """The cuts of so many samples in chunks of these sizes, the rest included."""
    cutter = PatchCutter(GRID)
    chunks = cut(noise(count), sizes, start=start, captured_at=100.0)
    return [whole for chunk in chunks for whole in cutter.push(chunk)] + cutter.finish()


def shape(chunks: list[AudioChunk]) -> list[tuple[int, int]]:
    return [(chunk.start, len(chunk.samples)) for chunk in chunks]


@pytest.mark.parametrize(
    ("end", "missing"),
    [
        (100, WINDOW),
        (101, WINDOW - 1),
        (99 + WINDOW, 1),
        (100 + WINDOW, HOP),
        (101 + WINDOW, HOP - 1),
    ],
)
def test_a_grid_knows_what_the_next_patch_lacks(end: int, missing: int):
    assert PatchGrid(GRID.params, 100).missing_samples(end) == missing
    assert PatchGrid(GRID.params, 100).missing_samples(end + WINDOW + 3 * HOP) <= HOP


@pytest.mark.parametrize("size", [1_000, HOP, WINDOW, 100_000])
def test_a_window_then_patch_hops_then_the_rest(size: int):
    count = WINDOW + 2 * HOP + 5
    assert shape(cuts([size], count, start=70)) == [
        (70, WINDOW),
        (70 + WINDOW, HOP),
        (70 + WINDOW + HOP, HOP),
        (70 + WINDOW + 2 * HOP, 5),
    ]


@settings(max_examples=50, deadline=None)
@given(SIZES, st.integers(0, 100_000))
@example([1], WINDOW + HOP)
def test_the_cuts_are_the_same_whatever_the_chunks(sizes: list[int], count: int):
    found, expected = cuts(sizes, count), cuts([max(count, 1)], count)
    assert shape(found) == shape(expected)
    samples = [chunk.samples for chunk in found]
    assert np.array_equal(np.concatenate([*samples, noise(0)]), noise(count))
    times = [chunk.captured_at for chunk in found]
    assert times == pytest.approx([100.0 + chunk.start / RATE_HZ for chunk in found], abs=1e-9)
    assert {(c.source, c.sample_rate_hz) for c in found} <= {("hall", RATE_HZ)}


@settings(max_examples=30, deadline=None)
@given(SIZES, st.integers(1, 100_000), st.sampled_from([0.12, 0.24, 0.48, 0.96]))
def test_each_cut_completes_exactly_one_patch(sizes: list[int], count: int, hop_seconds: float):
    params = FeatureParams(patch_hop_seconds=hop_seconds)
    cutter, stream = PatchCutter(PatchGrid(params)), PatchStream(params)
    wholes = [whole for chunk in cut(noise(count), sizes) for whole in cutter.push(chunk)]
    for whole in wholes:
        (patch,) = stream.push(whole)
        assert patch.start + params.window_samples == whole.end
    for rest in cutter.finish():
        assert stream.push(rest) == []


@settings(max_examples=30, deadline=None)
@given(SIZES, st.integers(1, 60_000))
def test_what_is_missing_is_what_completes_the_next_patch(sizes: list[int], count: int):
    cutter = PatchCutter(GRID)
    for chunk in cut(noise(count), sizes):
        cutter.push(chunk)
    missing = cutter.missing_samples
    assert 1 <= missing <= WINDOW
    almost = next(cut(noise(missing), [missing - 1 or 1], start=count))
    assert len(cutter.push(almost)) == (missing == 1)
    if missing > 1:
        assert len(cutter.push(next(cut(noise(1), [1], start=almost.end)))) == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40_000), st.integers(1, 40_000), st.integers(1, 30_000))
@example(WINDOW, WINDOW, 1)
def test_a_jump_begins_a_new_grid_and_what_was_left_comes_before_it(
    before: int, after: int, jump: int
):
    cutter = PatchCutter(GRID)
    begin = before + jump
    first, second = cut(noise(before), [1_000]), cut(noise(after), [1_000], start=begin)
    found = [whole for part in (first, second) for chunk in part for whole in cutter.push(chunk)]
    found += cutter.finish()
    assert shape(found) == shape(cuts([1_000], before)) + shape(cuts([1_000], after, start=begin))


def test_a_jump_back_is_a_jump_too():
    cutter = PatchCutter(GRID)
    chunks = [next(cut(noise(100), [100], start=start)) for start in (500, 0)]
    assert shape([whole for chunk in chunks for whole in cutter.push(chunk)]) == [(500, 100)]
    assert cutter.missing_samples == WINDOW - 100


def test_finished_it_starts_over_with_a_window():
    cutter = PatchCutter(GRID)
    for start in (0, 20_000):  # the second goes on where the first ended
        chunk = next(cut(noise(20_000), [20_000], start=start))
        assert shape(cutter.push(chunk) + cutter.finish()) == [
            (start, WINDOW),
            (start + WINDOW, 20_000 - WINDOW),
        ]
        assert cutter.missing_samples == WINDOW
        assert cutter.finish() == []


def test_no_samples_are_no_cut():
    cutter = PatchCutter(GRID)
    empty = AudioChunk("hall", 0, 0.0, RATE_HZ, noise(0))
    assert cutter.push(empty) == []
    assert cutter.finish() == []
    assert cutter.missing_samples == WINDOW


def test_what_is_pushed_is_not_changed():
    samples = noise(40_000)
    list(PatchCutter(GRID).push(AudioChunk("hall", 0, 0.0, RATE_HZ, samples)))
    assert np.array_equal(samples, noise(40_000))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 4), st.integers(0, HOP - 1))
def test_realigned_its_cuts_are_at_patch_ends_again(lost: int, kept: int, pending: int):
    """Chunks 0 to lost - 1 were dropped on the way when the cutter had gone on by some samples."""
    cutter, stream = PatchCutter(GRID), PatchStream(GRID.params)
    gone_on = WINDOW + (lost + kept) * HOP
    wholes = [w for c in cut(noise(gone_on), [gone_on]) for w in cutter.push(c)]
    for chunk in cut(noise(pending), [HOP], start=gone_on):
        cutter.push(chunk)
    cutter.realign()
    for whole in wholes[lost:]:
        stream.push(whole)
    later = cut(noise(6 * HOP), [1_000], start=gone_on + pending)
    ends = [w.end for c in later for w in cutter.push(c) if stream.push(w) and kept >= 2]
    begin = wholes[lost].start
    assert {(end - begin - WINDOW) % HOP for end in ends} <= {0}
    assert len(ends) >= 5 or kept < 2


OTHER = FeatureParams(patch_hop_seconds=0.24)


@pytest.mark.parametrize("further", [0, 5, 3_840, WINDOW, WINDOW + 100])
@pytest.mark.parametrize("origin", [0, WINDOW, WINDOW + HOP])
def test_another_grid_is_followed_from_its_origin(origin: int, further: int):
    """Chunks end where a patch of that grid does; no sample is lost."""
    cutter = PatchCutter(GRID)
    heard = origin + further
    whole = cutter.push(AudioChunk("hall", 0, 0.0, RATE_HZ, noise(heard)))
    cutter.follow(PatchGrid(OTHER, origin))
    whole += cutter.push(AudioChunk("hall", heard, 0.0, RATE_HZ, noise(4 * WINDOW)))
    ends = [chunk.end for chunk in whole if chunk.end > heard]
    assert {(end - origin - WINDOW) % 3_840 for end in ends} == {0}
    assert ends[0] >= origin + WINDOW  # not before the first one is whole
    whole += cutter.finish()
    assert [chunk.start for chunk in whole] == [0, *(chunk.end for chunk in whole[:-1])]
    assert whole[-1].end == heard + 4 * WINDOW


def test_an_origin_that_is_still_to_come_belongs_to_an_earlier_stream():
    cutter = PatchCutter(GRID)
    cutter.push(AudioChunk("hall", 0, 0.0, RATE_HZ, noise(HOP)))
    cutter.follow(PatchGrid(OTHER, 1_000_000))
    assert cutter.missing_samples == WINDOW


def test_a_grid_is_followed_once():
    """A jump that comes later begins a grid of its own."""
    cutter, other = PatchCutter(GRID), PatchGrid(OTHER, 0)
    cutter.push(AudioChunk("hall", 0, 0.0, RATE_HZ, noise(HOP)))
    cutter.follow(other)
    cutter.push(AudioChunk("hall", 50_000, 0.0, RATE_HZ, noise(HOP)))
    cutter.follow(other)
    assert cutter.missing_samples == WINDOW - HOP
