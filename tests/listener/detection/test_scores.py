"""Slots of overlapping patches, and the running median."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from listener.detection.features import Patch, PatchStream
from listener.detection.params import FeatureParams
from listener.detection.scores import Scores, ScoreSmoother, slot_boundaries, slot_of
from tests.listener.detection.waveforms import RATE_HZ, cut, noise

EMPTY = np.empty((96, 64), np.float32)


def patch_at(captured_at: float) -> Patch:
    return Patch("hall", 0, captured_at, 0.975, EMPTY, -120.0, -120.0, 0.0)


def smooth(scores: NDArray[np.float32], length: int) -> list[Scores]:
    smoother = ScoreSmoother(length, scores.shape[1])
    pushed = [smoother.push(row) for row in scores]
    return [row.copy() for row in pushed if row is not None] + smoother.finish()


def naive_median(scores: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    padded = np.pad(scores, [(length // 2, length // 2), (0, 0)])
    rows = [np.median(padded[k : k + length], axis=0) for k in range(len(scores))]
    return np.array(rows, np.float32).reshape(scores.shape)


def test_a_slot_is_as_wide_as_the_hop_at_the_centre_of_its_patch():
    # the window is 0.975 s, its centre 0.4875; the hop is 0.48
    onset, offset = slot_of(patch_at(10.0), FeatureParams(), first=False)
    assert (onset, offset) == pytest.approx((10.2475, 10.7275))


def test_the_first_slot_begins_with_the_first_sample():
    onset, offset = slot_of(patch_at(10.0), FeatureParams(), first=True)
    assert onset == 10.0
    assert offset == pytest.approx(10.7275)


def test_boundaries_begin_with_the_file_and_end_with_it():
    boundaries = slot_boundaries(3, 2.0, FeatureParams())
    assert boundaries == pytest.approx([0.0, 0.7275, 1.2075, 2.0])
    assert slot_boundaries(1, 0.3, FeatureParams()).tolist() == [0.0, 0.3]


@pytest.mark.parametrize("hop_seconds", [0.12, 0.24, 0.48, 0.96])
@pytest.mark.parametrize("samples", [1, 15_600, 20_001, 48_000])
def test_boundaries_are_those_of_the_slots(hop_seconds: float, samples: int):
    params = FeatureParams(patch_hop_seconds=hop_seconds)
    stream = PatchStream(params)
    patches = [p for chunk in cut(noise(samples), [4_000]) for p in stream.push(chunk)]
    patches += stream.finish()
    slots = [slot_of(patch, params, first=k == 0) for k, patch in enumerate(patches)]
    boundaries = slot_boundaries(len(patches), samples / RATE_HZ, params)
    assert boundaries[:-1] == pytest.approx([onset for onset, _ in slots])
    assert boundaries[1:-1] == pytest.approx([offset for _, offset in slots[:-1]])
    assert np.all(np.diff(boundaries) > 0)


def test_a_slot_does_not_last_longer_than_its_stream():
    """The last patch is padded; its slot ends with the last sample."""
    stream = PatchStream(FeatureParams())
    patches = [p for chunk in cut(noise(15_601), [4_000]) for p in stream.push(chunk)]
    last = stream.finish()[0]
    assert len(patches) == 1
    onset, offset = slot_of(last, FeatureParams(), first=False)
    assert (onset, offset) == pytest.approx((0.7275, 15_601 / RATE_HZ))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 12), st.integers(1, 3), st.integers(0, 4), st.integers(0, 10**6))
def test_smoothed_is_the_median_with_silence_around(
    rows: int, labels: int, half_length: int, seed: int
):
    scores = np.random.default_rng(seed).random((rows, labels), np.float32)
    smoothed = np.array(smooth(scores, 2 * half_length + 1), np.float32).reshape(scores.shape)
    assert smoothed.tolist() == naive_median(scores, 2 * half_length + 1).tolist()


def test_a_row_comes_out_half_the_length_later():
    smoother = ScoreSmoother(5, 1)
    row = np.ones(1, np.float32)
    assert [smoother.push(row) is None for _ in range(4)] == [True, True, False, False]
    assert smoother.delay == 2


def test_a_single_high_patch_is_smoothed_away_also_at_the_edges():
    blips = np.array([[1.0], [0.0], [0.0], [1.0], [0.0], [0.0], [1.0]], np.float32)
    assert np.array(smooth(blips, 3)).max() == 0.0


def test_length_one_changes_nothing():
    scores = np.array([[0.25], [0.75]], np.float32)
    assert np.array(smooth(scores, 1)).tolist() == scores.tolist()


def test_after_its_end_it_starts_over():
    smoother = ScoreSmoother(3, 1)
    for _ in range(2):
        assert smoother.push(np.ones(1, np.float32)) is None
        assert [row.tolist() for row in smoother.finish()] == [[0.0]]
    assert smoother.finish() == []


@pytest.mark.parametrize("length", [0, 2, -1])
def test_the_length_is_odd(length: int):
    with pytest.raises(ValueError, match=f"expected an odd number of patches, got {length}"):
        ScoreSmoother(length, 1)
