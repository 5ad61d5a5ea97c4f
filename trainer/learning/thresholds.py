"""Thresholds that this room can bear: raised until its ambient clips give no more than the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from listener.detection.policy import LabelPolicy
from trainer.evaluation.operating_points import Grid, allowed_alarms, count_alarms
from trainer.evaluation.poisson import AlarmRate
from trainer.evaluation.spans import ScoredFile
from trainer.evaluation.tracks import Track, make_track, smooth_track


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


@dataclass(frozen=True, slots=True)
class Files:
    """Scored files of one patch hop; the columns are all labels."""

    files: tuple[ScoredFile, ...]
    patch_hop_seconds: float

    def tracks(self, column: int, policy: LabelPolicy) -> list[Track]:
        """One column of each file, smoothed as the policy asks for."""
        length = policy.smoothing_patches(self.patch_hop_seconds)
        return [smooth_track(make_track([file], column, file.name), length) for file in self.files]


def place_between(policy: LabelPolicy, column: int, own: Files, others: Files) -> LabelPolicy:
    """The threshold of a new label: the middle of those that find it in all its own clips and in no other.

    Its own clips were learnt from, so that the highest of those is too high, and in the middle it is as
    far from missing the sound as from hearing it in vain. Where there is none, the lowest that is quiet
    in the others, which are held-out clips of other labels.
    """
    candidates = [policy, *_higher(policy)]
    heard, quiet = own.tracks(column, policy), others.tracks(column, policy)
    silent = [each for each in candidates if not any(_alarms(track, each) for track in quiet)]
    good = [each for each in silent if all(_alarms(track, each) for track in heard)]
    return good[len(good) // 2] if good else (silent or candidates[-1:])[0]


def _alarms(smoothed: Track, policy: LabelPolicy) -> int:
    return count_alarms(smoothed, policy).alarms


def _raise(policy: LabelPolicy, smoothed: Track, allowed_per_day: float) -> LabelPolicy:
    """The lowest threshold from the policy's own on that keeps to the share, else the highest."""
    candidates = [policy, *_higher(policy)]
    for candidate in candidates:
        rate = count_alarms(smoothed, candidate)
        if rate.alarms <= allowed_alarms(allowed_per_day, rate.hours):
            return candidate
    return candidates[-1]


def _higher(policy: LabelPolicy) -> list[LabelPolicy]:
    """The thresholds of the grid over the policy's own, off in proportion."""
    share = policy.off_threshold / policy.on_threshold
    return [
        replace(policy, on_threshold=on, off_threshold=on * share)
        for on in Grid().on_thresholds
        if on > policy.on_threshold
    ]
