"""What a calibration found: policies, recall before and after, what each budget costs, and what to know."""

from collections.abc import Mapping
from dataclasses import dataclass

from listener.detection.policy import LabelPolicy
from trainer.evaluation.counts import Counts
from trainer.evaluation.operating_points import AlarmRate, OperatingPoint, hours_to_claim

_GENERATED = (
    "the ambient audio was generated (noises, knocks and clicks): it says little of your rooms, "
    "record hours of them"
)


@dataclass(frozen=True, slots=True)
class BudgetStep:
    """What a budget of all labels together would give one label: its threshold and its recall, [0, 1]."""

    false_alarms_per_day: float
    on_threshold: float
    recall: float | None
    within_budget: bool


@dataclass(frozen=True, slots=True)
class LabelFinding:
    """What calibration found for one label; `point` is None where validation never heard it.

    `before` counts what its policy found until now; of a label that validation never heard, in the
    bundle's held-back clips, None if there are none. `keeping_per_day` is the smallest budget of all labels
    together that keeps the least recall, None if none does. `reach` is the highest smoothed score of its
    sounds.
    """

    label: str
    policy: LabelPolicy
    point: OperatingPoint | None
    ambient: AlarmRate | None
    before: Counts | None = None
    steps: tuple[BudgetStep, ...] = ()
    keeping_per_day: float | None = None
    reach: float | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """A policy for every label of the bundle, and what is known of them.

    `ambient` counts the alarms of all labels; None where there was no ambient audio. `generated`: it was
    not recorded but made of noises, knocks and clicks. `held_back`: the labels were heard in so many clips
    that the bundle holds back, not in recordings. `least_recall` is what each label should keep, [0, 1].
    """

    policies: Mapping[str, LabelPolicy]
    findings: tuple[LabelFinding, ...]
    false_alarms_per_day: float
    ambient: AlarmRate | None
    generated: bool = False
    held_back: int = 0
    least_recall: float = 0.0

    @property
    def claimed(self) -> bool:
        """Whether the ambient audio is long and quiet enough to claim the budget (95 %)."""
        return (
            self.ambient is not None and self.ambient.at_most_per_day <= self.false_alarms_per_day
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """One line for each thing that a person should know before they trust the policies."""
        budget, rate = self.false_alarms_per_day, self.ambient
        needed = f"{hours_to_claim(budget):.1f} h without an alarm would be needed"
        remarks: list[str | None] = []
        if rate is None:
            remarks.append(f"no ambient audio: nothing is known of false alarms; {needed}")
        elif self.generated:
            remarks.append(_GENERATED)
        if rate is not None and not self.claimed:
            remarks.append(
                f"{rate.alarms} alarms in {rate.hours:.2f} h of ambient audio allow to claim at most "
                f"{rate.at_most_per_day:.3g} false alarms a day (95 %), not {budget:g}; {needed}"
            )
        if self.held_back:
            remarks.append(
                f"recall is that of {self.held_back} clips that the bundle holds back, of which it has "
                "a few patches each: recordings in --data say more"
            )
        remarks += map(remark_on, self.findings)
        return tuple(remark for remark in remarks if remark is not None)


def remark_on(found: LabelFinding) -> str | None:
    """What to know of one label, above all whether a sound can pass its policy; None if all is well."""
    if found.point is None:
        kept = f"{found.label}: not heard in the validation audio, its policy stays as it was"
        if found.before is None:
            return f"{kept}; no recording shows whether a sound passes it"
        clips = found.before.misses
        passed = found.before.hits > 0
        return (
            kept
            if passed
            else f"{kept}; no sound passes it: {_reach(found)} in {clips} held-back clips"
        )
    if not found.point.counts.hits:
        return f"{found.label}: no sound passes its policy: {_reach(found)} in the validation audio"
    if not found.point.within_budget and found.ambient is not None:
        return (
            f"{found.label}: no policy keeps to the budget, the best gives "
            f"{found.ambient.per_day:.3g} false alarms a day on ambient audio"
        )
    return None


def _reach(found: LabelFinding) -> str:
    reach = "" if found.reach is None else f"{found.reach:.3g} of "
    return f"it reaches {reach}{found.policy.on_threshold:.3g}"


def explain_refusal(calibration: Calibration) -> str | None:
    """Which labels would be left with less than the least recall, in one line; None if none is."""
    left = []
    for found in calibration.findings:
        counts = Counts() if found.point is None else found.point.counts
        if counts.recall is None or counts.recall >= calibration.least_recall:
            continue
        sounds = counts.hits + counts.misses
        before = "" if found.before is None else f", {found.before.hits} before"
        budget = found.keeping_per_day
        keeping = "no budget keeps it" if budget is None else f"{budget:g} a day would keep it"
        share = f"{100 * counts.recall:.1f} %"
        left.append(f"{found.label} {share} ({counts.hits} of {sounds} sounds{before}; {keeping})")
    if not left:
        return None
    return (
        f"a budget of {calibration.false_alarms_per_day:g} false alarms a day leaves less than "
        f"{100 * calibration.least_recall:g} % of {'; '.join(left)}. Nothing is changed: give a larger "
        "budget, or accept it with --least-recall"
    )
