"""Events of one label over many files at once, for a search that asks thousands of times.

They are those of `listener.detection.hysteresis.detect_events`, which decides row by row; a test holds
the two together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from listener.detection.policy import LabelPolicy
from trainer.evaluation.scored_file import Intervals, ScoredFile, intervals_of, running_median

_BETWEEN_FILES_SECONDS = 1e5  # more than any gap that a policy bridges
_SILENCE = np.zeros(1, np.float32)
_ROUNDING_SECONDS = 1e-6  # as in listener.detection.hysteresis


@dataclass(frozen=True, slots=True)
class Track:
    """One label's scores in many files, one after the other on a single time line.

    `scores` is float32 (T,), `onsets` and `offsets` its slots, `truth` where it is heard. Each file,
    from `starts` on, ends in a slot of score 0 and a pause that no policy bridges. `seconds` is the
    length of all files.
    """

    scores: NDArray[np.float32]
    onsets: NDArray[np.float64]
    offsets: NDArray[np.float64]
    truth: Intervals
    starts: NDArray[np.intp]
    seconds: float


def make_track(files: Sequence[ScoredFile], column: int, label: str) -> Track:
    """The track of one label, the column of the files' scores.

    Raises:
        ValueError: no files.
    """
    if not files:
        raise ValueError(f"{label}: expected files with scores, got none")
    steps = np.array([file.seconds + _BETWEEN_FILES_SECONDS for file in files])
    shifts = np.cumsum(steps) - steps - np.array([file.boundaries[0] for file in files])
    times = [file.boundaries + shift for file, shift in zip(files, shifts, strict=True)]
    truth = [
        intervals_of(file.truth, label) + shift for file, shift in zip(files, shifts, strict=True)
    ]
    return Track(
        scores=np.concatenate([np.append(file.scores[:, column], _SILENCE) for file in files]),
        onsets=np.concatenate(times),
        offsets=np.concatenate([np.append(each[1:], each[-1]) for each in times]),
        truth=np.concatenate(truth),
        starts=np.cumsum([0, *(len(each) for each in times[:-1])]),
        seconds=sum(file.seconds for file in files),
    )


def smooth_track(track: Track, length: int) -> Track:
    """The scores through a median over an odd number of slots, file by file."""
    parts = np.split(track.scores, track.starts[1:])
    smoothed = [np.append(running_median(part[:-1], length), _SILENCE) for part in parts]
    return replace(track, scores=np.concatenate(smoothed))


def find_segments(smoothed: Track, policy: LabelPolicy) -> Intervals:
    """What hysteresis gives before gaps are bridged and short events dropped.

    The policy's refractory time, which only the daemon's own detector applies, is ignored.
    """
    # as float32, so that a score equal to the threshold is equal here
    above = smoothed.scores >= np.float32(policy.on_threshold)
    if not above.any():
        return np.empty((0, 2))
    kept = np.flatnonzero(smoothed.scores >= np.float32(policy.off_threshold))
    run = np.cumsum(np.diff(kept, prepend=kept[0]) > 1)  # which run over off each slot is in
    last_of_run = kept[np.append(np.flatnonzero(np.diff(run)), len(kept) - 1)]
    opening = above[kept]
    runs, first = np.unique(run[opening], return_index=True)
    onsets = smoothed.onsets[kept[opening][first]]
    return np.column_stack((onsets, smoothed.offsets[last_of_run[runs]]))


def shape_events(segments: Intervals, policy: LabelPolicy) -> Intervals:
    """Segments at most a gap apart as one; then without those that are too short."""
    if not len(segments):
        return segments
    gaps = segments[1:, 0] - segments[:-1, 1]
    parted = gaps > policy.max_gap_seconds + _ROUNDING_SECONDS
    onsets = segments[np.append(True, parted), 0]
    offsets = segments[np.append(parted, True), 1]
    long = offsets - onsets >= policy.min_duration_seconds - _ROUNDING_SECONDS
    return np.column_stack((onsets[long], offsets[long]))
