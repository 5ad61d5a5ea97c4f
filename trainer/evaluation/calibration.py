"""Policies for a bundle: one per label, within a budget of false alarms a day for all together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from listener.detection import audio, params
from listener.detection.bundle import Bundle
from listener.detection.clip import LabelSpan
from listener.detection.policy import LabelPolicy
from trainer.config import Objective
from trainer.data import activity, targets
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.errors import DataError
from trainer.evaluation import operating_points as points
from trainer.evaluation import scored_file, scoring, selection, tracks
from trainer.terminal import Progress

_GENERATED = (
    "the ambient audio was generated (noises, knocks and clicks): it says little of your rooms, "
    "record hours of them"
)


@dataclass(frozen=True, slots=True)
class Validation:
    """Scored files with their truth, and the clips that could not be read."""

    files: tuple[scored_file.ScoredFile, ...]
    quarantined: tuple[Quarantined, ...]


def score_validation(
    scorer: scoring.Scorer,
    table: ClipTable,
    labels: tuple[str, ...],
    progress: Progress | None = None,
) -> Validation:
    """Every clip scored; the table's classes are some of the `labels`, the columns of the scores.

    Where it is not known whether a clip holds a label, the label's scores are 0: its events there would
    be neither right nor wrong.

    Raises:
        DataError: no clip can be read.
    """
    files: list[scored_file.ScoredFile] = []
    left_out: list[Quarantined] = []
    for clip, samples in selection.read_one_by_one(table, scorer.features.sample_rate_hz, progress):
        if isinstance(samples, Quarantined):
            left_out.append(samples)
            continue
        truth = spans_of(clip, samples, scorer.features)
        file = scoring.score_file(scorer, samples, clip.path.name, truth)
        files.append(replace(file, scores=file.scores * targets.clip_targets(clip, labels).known))
    if not files:
        raise DataError(f"expected clips that can be read, got none of {len(table.clips)}")
    return Validation(tuple(files), (*table.quarantined, *left_out))


def spans_of(
    clip: Clip, samples: audio.Samples, features: params.FeatureParams
) -> tuple[LabelSpan, ...]:
    """The clip's spans; a label without any has one, from the first part that is not quiet to the last.

    A label of a whole clip does not say how often the sound is heard: one span makes one event anywhere
    in it right, and several. In a clip that is quiet throughout, the span is all of it.
    """
    timed = {span.label for span in clip.spans}
    seconds = len(samples) / features.sample_rate_hz
    active = np.array(
        activity.find_active(activity.patch_levels(samples, features), seconds, features)
    )
    onset, offset = (float(active.min()), float(active.max())) if len(active) else (0.0, seconds)
    whole = (LabelSpan(label, onset, offset) for label in sorted(clip.labels - timed))
    return (*clip.spans, *whole)


@dataclass(frozen=True, slots=True)
class LabelFinding:
    """What calibration found for one label; `point` is None where validation never heard it."""

    label: str
    policy: LabelPolicy
    point: points.OperatingPoint | None
    ambient: points.AlarmRate | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """A policy for every label of the bundle, and what is known of them.

    `ambient` counts the alarms of all labels; None where there was no ambient audio. `generated`: it was
    not recorded but made of noises, knocks and clicks.
    """

    policies: Mapping[str, LabelPolicy]
    findings: tuple[LabelFinding, ...]
    false_alarms_per_day: float
    ambient: points.AlarmRate | None
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
        budget, rate = self.false_alarms_per_day, self.ambient
        needed = f"{points.hours_to_claim(budget):.1f} h without an alarm would be needed"
        remarks = []
        if rate is None:
            remarks.append(f"no ambient audio: nothing is known of false alarms; {needed}")
        elif self.generated:
            remarks.append(_GENERATED)
        if rate is not None and not self.claimed:
            remarks.append(
                f"{rate.alarms} alarms in {rate.hours:.2f} h of ambient audio allow to claim at most "
                f"{rate.at_most_per_day:.3g} false alarms a day (95 %), not {budget:g}; {needed}"
            )
        for found in self.findings:
            if found.point is None:
                remarks.append(
                    f"{found.label}: not heard in the validation audio, its policy stays as it was"
                )
            elif not found.point.within_budget and found.ambient is not None:
                remarks.append(
                    f"{found.label}: no policy keeps to the budget, the best gives "
                    f"{found.ambient.per_day:.3g} false alarms a day on ambient audio"
                )
        return tuple(remarks)


def calibrate_bundle(
    bundle: Bundle,
    files: Sequence[scored_file.ScoredFile],
    ambient: Sequence[scored_file.ScoredFile],
    false_alarms_per_day: float,
    *,
    generated: bool = False,
    objective: Objective = "f1",
    grid: points.Grid | None = None,
) -> Calibration:
    """Choose a policy for every label that the validation files hold; the others keep theirs.

    Each label may use the same share of the budget of `false_alarms_per_day`. `ambient` is audio without
    any of the labels, what a microphone hears all day: its alarms are what the budget limits. It may be
    empty, and was not recorded if `generated`. For objective and grid see `best_point`.

    Raises:
        DataError: a budget that is not over 0, no validation files, or none with a label.
    """
    heard = {span.label for file in files for span in file.truth} & set(bundle.labels)
    if not false_alarms_per_day > 0 or not heard:
        raise DataError(
            "calibration: expected over 0 false alarms a day and validation audio with the bundle's "
            f"labels, got {false_alarms_per_day} and {len(heard)} labels in {len(files)} files"
        )
    hop, share = bundle.manifest.features.patch_hop_seconds, false_alarms_per_day / len(heard)
    findings = []
    for column, label in enumerate(bundle.labels):
        policy, point, alarms = bundle.manifest.policies[label], None, None
        quiet = tracks.make_track(ambient, column, label) if ambient else None
        if label in heard:
            track = tracks.make_track(files, column, label)
            point = points.best_point(track, quiet, share, hop, objective=objective, grid=grid)
            policy, alarms = point.policy, point.ambient
        elif quiet is not None:
            smoothed = tracks.smooth_track(quiet, policy.smoothing_patches(hop))
            alarms = points.count_alarms(smoothed, policy)
        findings.append(LabelFinding(label, policy, point, alarms))
    rates = [finding.ambient for finding in findings if finding.ambient is not None]
    total = points.AlarmRate(sum(rate.alarms for rate in rates), rates[0].hours) if rates else None
    policies = {finding.label: finding.policy for finding in findings}
    return Calibration(policies, tuple(findings), false_alarms_per_day, total, generated)
