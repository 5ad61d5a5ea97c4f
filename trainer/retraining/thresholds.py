"""Thresholds that this room can bear: raised until its ambient clips give no more than the budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from listener.detection.policy import LabelPolicy
from trainer.evaluation.operating_points import AlarmRate, Grid, allowed_alarms, count_alarms
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.tracks import Track, make_track, smooth_track

_LEAST = 1e-6  # of a score, and of what it lacks to 1: its logit is finite


@dataclass(frozen=True, slots=True)
class RoomCheck:
    """Policies after they heard the room: which were `raised` (label to on_threshold before and after).

    `alarms` are the events that remain, of all labels; None where there were no ambient clips.
    """

    policies: Mapping[str, LabelPolicy]
    raised: Mapping[str, tuple[float, float]]
    false_alarms_per_day: float
    alarms: AlarmRate | None


def fit_to_room(
    policies: Mapping[str, LabelPolicy],
    ambient: Sequence[ScoredFile],
    false_alarms_per_day: float,
    patch_hop_seconds: float,
) -> RoomCheck:
    """Raise thresholds, never lower them: what is missed by them was decided on other data.

    `policies` are in the order of the scores. Each label may use the same share of the budget.
    """
    if not ambient:
        return RoomCheck(dict(policies), {}, false_alarms_per_day, None)
    fitted, alarms, hours = {}, 0, 0.0
    share = false_alarms_per_day / len(policies)
    for column, (label, policy) in enumerate(policies.items()):
        track = make_track(ambient, column, label)
        smoothed = smooth_track(track, policy.smoothing_patches(patch_hop_seconds))
        fitted[label] = _raise(policy, smoothed, share)
        left = count_alarms(smoothed, fitted[label])
        alarms, hours = alarms + left.alarms, left.hours
    raised = {
        label: (policies[label].on_threshold, policy.on_threshold)
        for label, policy in fitted.items()
        if policy != policies[label]
    }
    return RoomCheck(fitted, raised, false_alarms_per_day, AlarmRate(alarms, hours))


def _raise(policy: LabelPolicy, smoothed: Track, allowed_per_day: float) -> LabelPolicy:
    """The lowest threshold from the policy's own on that keeps to the share, else the highest."""
    candidates = higher_policies(policy)
    for candidate in candidates:
        rate = count_alarms(smoothed, candidate)
        if rate.alarms <= allowed_alarms(allowed_per_day, rate.hours):
            return candidate
    return candidates[-1]


def higher_policies(policy: LabelPolicy) -> list[LabelPolicy]:
    """The policy, and with the thresholds of the grid over its own; off in proportion."""
    higher = [on for on in Grid().on_thresholds if on > policy.on_threshold]
    return [policy, *(with_threshold(policy, on) for on in higher)]


def with_threshold(policy: LabelPolicy, on_threshold: float) -> LabelPolicy:
    """Off in proportion."""
    share = policy.off_threshold / policy.on_threshold
    return replace(policy, on_threshold=on_threshold, off_threshold=on_threshold * share)


# The policy of a new label: as far from its own clips as from all others.


@dataclass(frozen=True, slots=True)
class Files:
    """Scored files of one patch hop; the columns are all labels."""

    files: tuple[ScoredFile, ...]
    patch_hop_seconds: float

    def peaks(self, column: int, policy: LabelPolicy) -> NDArray[np.float64]:
        """The highest score of one column in each file, smoothed as the policy asks for."""
        length = policy.smoothing_patches(self.patch_hop_seconds)
        tracks = [
            smooth_track(make_track([file], column, file.name), length) for file in self.files
        ]
        return np.array([track.scores.max() for track in tracks], np.float64)


@dataclass(frozen=True, slots=True)
class _Gap:
    """What lies between the highest of all others and the middle one of its own, under a policy; logits."""

    policy: LabelPolicy
    others: float
    own: float

    def place(self) -> LabelPolicy:
        """In its middle; where there is no gap, the lowest threshold over the others."""
        candidates = higher_policies(self.policy)
        if self.own <= self.others:
            over = (each for each in candidates if _logit(each.on_threshold) > self.others)
            return next(over, candidates[-1])
        middle = 1.0 / (1.0 + math.exp(-(self.own + self.others) / 2.0))
        least, most = candidates[0].on_threshold, candidates[-1].on_threshold
        return with_threshold(self.policy, min(max(middle, least), most))


def place_between(policy: LabelPolicy, column: int, own: Files, others: Files) -> LabelPolicy:
    """The median and the threshold that set a new label's clips furthest apart from all others.

    `own` are scored by heads that never heard them: a head's word on what it learnt from is too good. Of
    five clips the middle one is asked, for one may be a bad example; `others`, held-out clips of other
    labels, are many, and the highest counts. A median is never shorter than the policy's.
    """
    medians = [each for each in Grid().smoothing_seconds if each > policy.smoothing_seconds]
    tried = [policy, *(replace(policy, smoothing_seconds=seconds) for seconds in medians)]
    gaps = [_measure(each, column, own, others) for each in tried]
    return max(gaps, key=lambda gap: gap.own - gap.others).place()


def _measure(policy: LabelPolicy, column: int, own: Files, others: Files) -> _Gap:
    """Nobody else: the policy's own threshold is what its clips are to be over."""
    highest = float(others.peaks(column, policy).max(initial=0.0))
    lower = _logit(highest if others.files else policy.on_threshold)
    peaks = own.peaks(column, policy)
    return _Gap(policy, lower, _logit(float(np.median(peaks))) if len(peaks) else lower)


def _logit(score: float) -> float:
    clipped = min(max(score, _LEAST), 1.0 - _LEAST)
    return math.log(clipped / (1.0 - clipped))
