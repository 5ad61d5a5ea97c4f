"""Policies for a bundle: one per label, within a budget of false alarms a day for all together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from listener.detection import audio, params
from listener.detection.bundle import Bundle
from listener.detection.clip import LabelSpan
from trainer.config import Objective
from trainer.data import activity, targets
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.errors import DataError
from trainer.evaluation import operating_points as points
from trainer.evaluation import regression, scored_file, scoring, selection, tracks
from trainer.evaluation.findings import BudgetStep, Calibration, LabelFinding
from trainer.terminal import Progress

BUDGET_STEPS = (0.1, 1.0, 5.0, 24.0)  # false alarms a day, of all labels together

Scored = Sequence[scored_file.ScoredFile]


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


def score_held_back(
    scorer: scoring.PatchScorer, held: regression.RegressionSet, labels: Sequence[str]
) -> Scored:
    """The clips that a bundle holds back, as files with the bundle's `labels` as columns.

    An unknown label has scores of 0, as in `score_validation`.
    """
    files = []
    scores = held.infer(lambda patches: scorer.infer(patches)[0], scorer.features)
    scored = regression.files_of(scores, scorer.features)
    columns = {label: column for column, label in enumerate(held.labels)}
    for file, there, known in zip(scored, held.targets, held.known, strict=True):
        is_known = [label in columns and known[columns[label]] for label in labels]
        heard = file.scores * np.array(is_known, np.float32)
        truth = tuple(
            LabelSpan(label, 0.0, file.seconds)
            for label in labels
            if label in columns and there[columns[label]]
        )
        files.append(replace(file, scores=heard, truth=truth))
    return tuple(files)


@dataclass(frozen=True, slots=True)
class Budget:
    """What the false alarms of all labels together may cost.

    The least recall, [0, 1], of each label comes before the objective, but after the budget.
    """

    false_alarms_per_day: float
    objective: Objective = "f1"
    least_recall: float = 0.0


def calibrate_bundle(
    bundle: Bundle,
    files: Scored,
    ambient: Scored,
    budget: Budget,
    *,
    generated: bool = False,
    held_back: Scored = (),
    grid: points.Grid | None = None,
) -> Calibration:
    """Choose a policy for every label that the validation files hold; the others keep theirs.

    Each label may use the same share of the budget. `ambient` is audio without any of the labels, what a
    microphone hears all day: its alarms are what the budget limits. It may be empty, and was not recorded
    if `generated`. Without validation files the `held_back` clips stand for them; they also say whether a
    label that no file holds can pass the policy that it keeps. For the grid see `PolicySearch`.

    Raises:
        DataError: a budget that is not over 0, no validation files, or none with a label.
    """
    judged = files or held_back
    heard = {span.label for file in judged for span in file.truth} & set(bundle.labels)
    if not budget.false_alarms_per_day > 0 or not heard:
        raise DataError(
            "calibration: expected over 0 false alarms a day and validation audio with the bundle's "
            f"labels, got {budget.false_alarms_per_day} and {len(heard)} labels in {len(judged)} files"
        )
    findings = []
    for column, label in enumerate(bundle.labels):
        quiet = tracks.make_track(ambient, column, label) if ambient else None
        known = judged if label in heard else held_back
        track = tracks.make_track(known, column, label) if known else None
        if track is None or label not in heard:
            findings.append(_keep_policy(bundle, label, track, quiet))
        else:
            search = points.PolicySearch(
                track,
                quiet,
                bundle.manifest.features.patch_hop_seconds,
                objective=budget.objective,
                grid=grid,
                least_recall=budget.least_recall,
            )
            findings.append(_find_policy(bundle, label, search, budget, len(heard)))
    rates = [finding.ambient for finding in findings if finding.ambient is not None]
    total = points.AlarmRate(sum(rate.alarms for rate in rates), rates[0].hours) if rates else None
    return Calibration(
        policies={finding.label: finding.policy for finding in findings},
        findings=tuple(findings),
        false_alarms_per_day=budget.false_alarms_per_day,
        ambient=total,
        generated=generated,
        held_back=0 if files else len(held_back),
        least_recall=budget.least_recall,
    )


def _find_policy(
    bundle: Bundle, label: str, search: points.PolicySearch, budget: Budget, labels: int
) -> LabelFinding:
    """The best policy within this label's share of the budget, and of each step's."""
    point = search.best_within(budget.false_alarms_per_day / labels)
    steps: list[BudgetStep] = []
    if point.ambient is not None:
        for per_day in sorted({*BUDGET_STEPS, budget.false_alarms_per_day}):
            best = search.best_within(per_day / labels)
            steps.append(
                BudgetStep(
                    per_day, best.policy.on_threshold, best.counts.recall, best.within_budget
                )
            )
    fewest = search.fewest_alarms()
    return LabelFinding(
        label=label,
        policy=point.policy,
        point=point,
        ambient=point.ambient,
        before=search.point(bundle.manifest.policies[label], budget.false_alarms_per_day).counts,
        steps=tuple(steps),
        keeping_per_day=None if fewest is None else round_up(fewest.per_day * labels),
        reach=search.reach(point.policy),
    )


def _keep_policy(
    bundle: Bundle, label: str, held_back: tracks.Track | None, ambient: tracks.Track | None
) -> LabelFinding:
    """The policy of a label that validation never heard, and what is known of it."""
    policy, hop = bundle.manifest.policies[label], bundle.manifest.features.patch_hop_seconds
    alarms = before = reach = None
    if held_back is not None and len(held_back.truth):
        search = points.PolicySearch(held_back, ambient, hop)
        before, reach = search.point(policy, math.inf).counts, search.reach(policy)
    if ambient is not None:
        smoothed = tracks.smooth_track(ambient, policy.smoothing_patches(hop))
        alarms = points.count_alarms(smoothed, policy)
    return LabelFinding(label, policy, None, alarms, before, reach=reach)


def round_up(per_day: float) -> float:
    """To three digits, so that a budget which is read off a message is large enough."""
    if not per_day:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(per_day)) - 2)
    return math.ceil(per_day / unit - 1e-9) * unit
