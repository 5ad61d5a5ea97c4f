"""Thresholds: raised until a room's ambient clips keep to the budget, and placed for new labels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from listener.detection.policy import LabelPolicy
from trainer.evaluation.operating_points import AlarmRate, Grid, allowed_alarms, count_alarms
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.tracks import make_track, smooth_track

# Of a label whose takes sound alike; see docs/decisions/0078
COPIES_LOST = 0.25  # of the wide copies, which are harder than new takes
OTHERS_FIRING = 0.05  # of other tones, of the bank, of held-out clips: each by itself
NEARER_TAKES = 0.75  # of the way from the others to the takes: another beeper sounds more often
_LEAST = 1e-6  # of a score, and of its distance to 1: its logit is finite


@dataclass(frozen=True, slots=True)
class ScoredFiles:
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
class AmbientCheck:
    """Policies for a room; `raised` has the on_threshold before and after by label.

    `alarms` are the events that remain in its ambient clips, of all labels; None without such clips.
    """

    policies: Mapping[str, LabelPolicy]
    raised: Mapping[str, tuple[float, float]]
    false_alarms_per_day: float
    alarms: AlarmRate | None


def fit_to_ambient(
    policies: Mapping[str, LabelPolicy], ambient: ScoredFiles, false_alarms_per_day: float
) -> AmbientCheck:
    """Raise each threshold as far as the budget needs, or to the highest; never lower one.

    What lower thresholds would find was decided on other data. `policies` are in the order of the
    scores; each label may use the same share of the budget.
    """
    if not ambient.files:
        return AmbientCheck(dict(policies), {}, false_alarms_per_day, None)
    fitted, alarms, hours = dict(policies), 0, 0.0
    share = false_alarms_per_day / len(policies)
    for column, (label, policy) in enumerate(policies.items()):
        track = make_track(ambient.files, column, label)
        smoothed = smooth_track(track, policy.smoothing_patches(ambient.patch_hop_seconds))
        for candidate in higher_policies(policy):
            fitted[label] = candidate
            rate = count_alarms(smoothed, candidate)
            if rate.alarms <= allowed_alarms(share, rate.hours):
                break
        alarms, hours = alarms + rate.alarms, rate.hours
    raised = {
        label: (policies[label].on_threshold, policy.on_threshold)
        for label, policy in fitted.items()
        if policy != policies[label]
    }
    return AmbientCheck(fitted, raised, false_alarms_per_day, AlarmRate(alarms, hours))


def higher_policies(policy: LabelPolicy) -> list[LabelPolicy]:
    """The policy, and with each threshold of the grid above its own."""
    higher = [on for on in Grid().on_thresholds if on > policy.on_threshold]
    return [policy, *(with_threshold(policy, on) for on in higher)]


def with_threshold(policy: LabelPolicy, on_threshold: float) -> LabelPolicy:
    """With another on_threshold, and the off_threshold in proportion."""
    share = policy.off_threshold / policy.on_threshold
    return replace(policy, on_threshold=on_threshold, off_threshold=on_threshold * share)


@dataclass(frozen=True, slots=True)
class _Gap:
    """Between the highest peak of all others and the median peak of a label's own, in logits."""

    policy: LabelPolicy
    others: float
    own: float

    def with_threshold_inside(self) -> LabelPolicy:
        """In the middle of the gap; where there is none, the lowest threshold above the others."""
        candidates = higher_policies(self.policy)
        if self.own <= self.others:
            above = (each for each in candidates if _logit(each.on_threshold) > self.others)
            return next(above, candidates[-1])
        middle = 1.0 / (1.0 + math.exp(-(self.own + self.others) / 2.0))
        least, most = candidates[0].on_threshold, candidates[-1].on_threshold
        return with_threshold(self.policy, min(max(middle, least), most))


def place_threshold(
    policy: LabelPolicy, column: int, own: ScoredFiles, others: ScoredFiles
) -> LabelPolicy:
    """The median filter and the threshold that separate a new label's clips best from all others.

    `own` are scored by heads that were not trained on them: scores of training clips are too good. Of
    five clips the median peak counts, for one may be a bad example; `others`, held-out clips of other
    labels, are many, and the highest peak counts. Without any, the label's own threshold stands for it.
    The median filter is never shorter than the policy's.
    """
    longer = [each for each in Grid().smoothing_seconds if each > policy.smoothing_seconds]
    gaps = []
    for tried in (policy, *(replace(policy, smoothing_seconds=seconds) for seconds in longer)):
        highest = float(others.peaks(column, tried).max(initial=0.0))
        lower = _logit(highest if others.files else tried.on_threshold)
        peaks = own.peaks(column, tried)
        gaps.append(_Gap(tried, lower, _logit(float(np.median(peaks))) if len(peaks) else lower))
    return max(gaps, key=lambda gap: gap.own - gap.others).with_threshold_inside()


def place_widened(
    policy: LabelPolicy,
    column: int,
    takes: ScoredFiles,
    copies: ScoredFiles,
    others: Sequence[ScoredFiles],
) -> tuple[LabelPolicy, float]:
    """The threshold of a label whose takes sound alike, and the largest share of `others` that still fires.

    Takes and their wide copies are scored by heads that were not trained on them. The threshold is three
    quarters of the way, in logits, from what few of the others reach to what all takes and most copies do;
    where the two overlap, takes and copies are kept. It is never lower than the policy's.
    """
    peaks = [each.peaks(column, policy) for each in others if each.files]
    lower = max((float(np.quantile(each, 1.0 - OTHERS_FIRING)) for each in peaks), default=0.0)
    upper = float(takes.peaks(column, policy).min())
    if copies.files:
        upper = min(upper, float(np.quantile(copies.peaks(column, policy), COPIES_LOST)))
    between = _logit(lower) + NEARER_TAKES * (_logit(upper) - _logit(lower))
    placed = 1.0 / (1.0 + math.exp(-between))
    threshold = max(policy.on_threshold, min(upper, placed))
    firing = max((float((each >= threshold).mean()) for each in peaks), default=0.0)
    return with_threshold(policy, threshold), firing


def _logit(score: float) -> float:
    clipped = min(max(score, _LEAST), 1.0 - _LEAST)
    return math.log(clipped / (1.0 - clipped))
