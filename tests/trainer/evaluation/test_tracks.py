"""The search's events are the daemon's events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.detection.hysteresis import detect_events
from listener.detection.policy import LabelPolicy
from listener.detection.scores import ScoreSmoother
from trainer.evaluation.scored_file import Intervals, ScoredFile, running_median
from trainer.evaluation.tracks import Track, find_segments, make_track, shape_events, smooth_track

HOP_SECONDS = 0.48

tenths = st.integers(0, 10).map(lambda n: n / 10)
columns = st.lists(tenths, min_size=1, max_size=40)
policies = st.builds(
    lambda on, off, **times: LabelPolicy(max(on, off), min(on, off), **times),
    on=st.integers(1, 10).map(lambda n: n / 10),
    off=st.integers(1, 10).map(lambda n: n / 10),
    smoothing_seconds=st.sampled_from([0.0, 1.44, 2.4, 4.8]),
    min_duration_seconds=st.sampled_from([0.0, 0.48, 0.96, 1.5]),
    max_gap_seconds=st.sampled_from([0.0, 0.48, 0.5, 1.44]),
)


def make_file(scores: list[float]) -> ScoredFile:
    """Slots of a hop; the first and the last are longer, as slot_boundaries makes them."""
    boundaries = 0.24 + np.arange(len(scores) + 1, dtype=np.float64) * HOP_SECONDS
    boundaries[0] = 0.0
    boundaries[-1] += 0.3
    return ScoredFile("x", np.array(scores, np.float32)[:, None], boundaries)


def events_of(track: Track, policy: LabelPolicy, patch_hop_seconds: float) -> Intervals:
    """As the search composes them."""
    smoothed = smooth_track(track, policy.smoothing_patches(patch_hop_seconds))
    return shape_events(find_segments(smoothed, policy), policy)


@settings(max_examples=300, deadline=None)
@given(st.lists(columns, min_size=1, max_size=3), policies)
def test_events_are_those_of_the_daemons_detector(every: list[list[float]], policy: LabelPolicy):
    files = [make_file(scores) for scores in every]
    track = make_track(files, 0, "dog")
    found = events_of(track, policy, HOP_SECONDS)
    wanted = [
        (start + event.onset, start + (event.offset or -1.0))
        for start, file in zip(track.onsets[track.starts], files, strict=True)
        for event in detect_events(file.scores, file.boundaries, {"dog": policy}, HOP_SECONDS)
    ]
    assert found.tolist() == [pytest.approx(pair) for pair in wanted]


@settings(max_examples=50, deadline=None)
@given(columns, st.sampled_from([1, 3, 5, 9]))
def test_the_median_of_a_file_is_that_of_the_daemons_smoother(scores: list[float], length: int):
    column = np.array(scores, np.float32)
    smoother = ScoreSmoother(length, 1)
    rows = [smoother.push(row) for row in column[:, None]] + [*smoother.finish()]
    wanted = [float(row[0]) for row in rows if row is not None]
    assert running_median(column, length).tolist() == pytest.approx(wanted)


def test_a_track_needs_files():
    with pytest.raises(ValueError, match="dog: expected files with scores, got none"):
        make_track([], 0, "dog")
