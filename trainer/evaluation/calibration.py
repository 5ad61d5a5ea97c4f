"""Policies for a bundle: one per label, within a budget of false alarms a day for all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from listener.detection.bundle import Bundle
from listener.detection.policy import LabelPolicy
from trainer.config import Objective
from trainer.errors import DataError
from trainer.evaluation.operating_points import (
    AlarmRate,
    Grid,
    Judge,
    OperatingPoint,
    best_point,
    count_alarms,
    hours_to_claim,
    overlap_counts,
)
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.tracks import Track, make_track, smooth_track

_GENERATED = (
    "the ambient audio was generated (noises, knocks and clicks): it says little of your rooms, "
    "record hours of them"
)


@dataclass(frozen=True, slots=True)
class LabelFinding:
    """What calibration found for one label; `point` is None where validation never heard it."""

    label: str
    policy: LabelPolicy
    point: OperatingPoint | None
    ambient: AlarmRate | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """A policy for every label of the bundle, and what is known of them.

    `ambient` counts the alarms of all labels; None where there was no ambient audio. `generated`: it was
    not recorded but made of noises, knocks and clicks.
    """

    policies: Mapping[str, LabelPolicy]
    findings: tuple[LabelFinding, ...]
    false_alarms_per_day: float
    ambient: AlarmRate | None
    generated: bool = False

    @property
    def claimed(self) -> bool:
        """Whether the ambient audio is long and quiet enough to claim the budget (95 %)."""
        return (
            self.ambient is not None and self.ambient.at_most_per_day <= self.false_alarms_per_day
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """One line for each thing that a person should know before they trust the policies."""
        return (*_budget_remarks(self), *filter(None, map(_label_remark, self.findings)))


def calibrate_bundle(
    bundle: Bundle,
    files: Sequence[ScoredFile],
    ambient: Sequence[ScoredFile],
    false_alarms_per_day: float,
    *,
    generated: bool = False,
    objective: Objective = "f1",
    judge: Judge = overlap_counts,
    grid: Grid | None = None,
) -> Calibration:
    """Choose a policy for every label that the validation files hold; the others keep theirs.

    Each label may use the same share of the budget. Ambient audio without any of the labels is what a
    microphone hears all day; its alarms are what the budget limits.

    Args:
        bundle: what gave the scores.
        files: validation audio, never trained on, with its truth.
        ambient: audio without any of the labels; may be empty, then nothing is known of false alarms.
        false_alarms_per_day: the budget for all labels together.
        generated: whether the ambient audio was made, not recorded.
        objective: see `best_point`.
        judge: when an event is right; see `best_point`.
        grid: what is tried.

    Raises:
        DataError: a budget that is not over 0, no validation files, or none with a label.
    """
    heard = _heard(bundle, files, false_alarms_per_day)
    search = partial(
        best_point,
        allowed_per_day=false_alarms_per_day / len(heard),
        patch_hop_seconds=bundle.manifest.features.patch_hop_seconds,
        objective=objective,
        judge=judge,
        grid=grid,
    )
    findings = []
    for column, label in enumerate(bundle.labels):
        quiet = make_track(ambient, column, label) if ambient else None
        point = search(make_track(files, column, label), quiet) if label in heard else None
        findings.append(_finding(bundle, label, point, quiet))
    policies = {finding.label: finding.policy for finding in findings}
    rate = _total(findings)
    return Calibration(policies, tuple(findings), false_alarms_per_day, rate, generated)


def _heard(bundle: Bundle, files: Sequence[ScoredFile], false_alarms_per_day: float) -> set[str]:
    """The labels that can be calibrated."""
    heard = {span.label for file in files for span in file.truth} & set(bundle.labels)
    if not false_alarms_per_day > 0 or not heard:
        raise DataError(
            "calibration: expected over 0 false alarms a day and validation audio with the bundle's "
            f"labels, got {false_alarms_per_day} and {len(heard)} labels in {len(files)} files"
        )
    return heard


def _finding(
    bundle: Bundle, label: str, point: OperatingPoint | None, ambient: Track | None
) -> LabelFinding:
    if point is not None:
        return LabelFinding(label, point.policy, point, point.ambient)
    kept = bundle.manifest.policies[label]
    if ambient is None:
        return LabelFinding(label, kept, None, None)
    length = kept.smoothing_patches(bundle.manifest.features.patch_hop_seconds)
    return LabelFinding(label, kept, None, count_alarms(smooth_track(ambient, length), kept))


def _total(findings: Sequence[LabelFinding]) -> AlarmRate | None:
    rates = [finding.ambient for finding in findings if finding.ambient is not None]
    return AlarmRate(sum(rate.alarms for rate in rates), rates[0].hours) if rates else None


def _budget_remarks(calibration: Calibration) -> list[str]:
    budget, rate = calibration.false_alarms_per_day, calibration.ambient
    needed = f"{hours_to_claim(budget):.1f} h without an alarm would be needed"
    if rate is None:
        return [f"no ambient audio: nothing is known of false alarms; {needed}"]
    made = [_GENERATED] if calibration.generated else []
    if calibration.claimed:
        return made
    return [
        *made,
        f"{rate.alarms} alarms in {rate.hours:.2f} h of ambient audio allow to claim at most "
        f"{rate.at_most_per_day:.3g} false alarms a day (95 %), not {budget:g}; {needed}",
    ]


def _label_remark(finding: LabelFinding) -> str | None:
    if finding.point is None:
        return f"{finding.label}: not heard in the validation audio, its policy stays as it was"
    if not finding.point.within_budget and finding.ambient is not None:
        return (
            f"{finding.label}: no policy keeps to the budget, the best gives "
            f"{finding.ambient.per_day:.3g} false alarms a day on ambient audio"
        )
    return None
