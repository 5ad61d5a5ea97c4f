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
