"""A bundle judged on data that it never saw."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from listener.detection.bundle import Bundle
from trainer.data.clips import ClipTable, Quarantined
from trainer.evaluation.clip_metrics import (
    ClipMetrics,
    PrecisionRecall,
    clip_metrics,
    precision_recall_curves,
)
from trainer.evaluation.event_metrics import EventMetrics, event_metrics
from trainer.evaluation.examples import Example, choose_examples
from trainer.evaluation.false_alarms import AmbientAlarms, NoiseAlarms, ambient_alarms, noise_alarms
from trainer.evaluation.scored_clips import (
    Condition,
    ConditionResult,
    ScoredTable,
    choose_columns,
    judge_condition,
    score_table,
    standard_conditions,
)
from trainer.evaluation.scored_file import ScoredFile, smooth_file
from trainer.evaluation.scoring import Scorer, find_spans, open_scorer, ordered_policies
from trainer.evaluation.selection import Progress, check_unseen, match_classes, paths_of


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that was measured; `to_document` makes JSON of it.

    `clip` and `patch` are metrics of the clips (mean over their patches) and of single patches.
    `events` is None where no clip says when its labels are heard, `ambient` where there was none.
    """

    bundle: str
    labels: tuple[str, ...]
    clip: ClipMetrics
    patch: ClipMetrics
    curves: tuple[PrecisionRecall, ...]
    robustness: tuple[ConditionResult, ...]
    events: EventMetrics | None
    noise: tuple[NoiseAlarms, ...]
    ambient: AmbientAlarms | None
    examples: tuple[Example, ...]
    quarantined: tuple[Quarantined, ...]


def evaluate_bundle(
    bundle: Bundle,
    table: ClipTable,
    *,
    ambient: Sequence[ScoredFile] = (),
    robust: bool = True,
    allow_seen: bool = False,
    noise_labels: Collection[str] = (),
    scorer: Scorer | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Clips, patches, events, noise.

    Args:
        bundle: what is judged.
        table: clips that it was not trained on; its classes are labels of the bundle.
        ambient: scored audio without any of the labels, see `score_file`.
        robust: also with noise, reverb and gain, which takes fifteen times as long.
        allow_seen: do not look whether the bundle was trained or calibrated on the clips.
        noise_labels: labels that are right to hear noise, of a bundle that knows noise as a sound.
        scorer: what gives the scores; default: the bundle's model in the daemon's engine.
        progress: called after each clip.

    Raises:
        DataError: a class that the bundle does not know, clips that it was trained on, or no clip that
            can be read.
        BundleError: the model cannot be run.
    """
    if not allow_seen:
        check_unseen(bundle, paths_of(table))
    table = match_classes(table, bundle)
    scorer = scorer or open_scorer(bundle)
    conditions = standard_conditions(scorer.features.sample_rate_hz) if robust else ()
    scored = score_table(scorer, table, bundle.labels, conditions, progress)
    noise = noise_alarms(scorer, ordered_policies(bundle), ignored=noise_labels)
    return _judge(bundle, scored, conditions, noise, ambient)


def _judge(
    bundle: Bundle,
    scored: ScoredTable,
    conditions: Sequence[Condition],
    noise: tuple[NoiseAlarms, ...],
    ambient: Sequence[ScoredFile],
) -> Evaluation:
    hop = scored.features.patch_hop_seconds
    return Evaluation(
        bundle=bundle.id,
        labels=scored.labels,
        clip=_clip_level(scored),
        patch=_patch_level(scored),
        curves=_curves(bundle, scored),
        robustness=_robustness(scored, conditions),
        events=_events(bundle, scored),
        noise=noise,
        ambient=ambient_alarms(ambient, ordered_policies(bundle), hop) if ambient else None,
        examples=choose_examples(scored),
        quarantined=scored.quarantined,
    )


def _clip_level(scored: ScoredTable) -> ClipMetrics:
    targets, known = scored.clip_targets()
    return clip_metrics(targets, scored.mean_scores(), scored.labels, known=known)


def _patch_level(scored: ScoredTable) -> ClipMetrics:
    targets, known = scored.patch_targets()
    scores = np.concatenate([each.file.scores for each in scored.clips])
    return clip_metrics(targets, scores, scored.labels, known=known)


def _curves(bundle: Bundle, scored: ScoredTable) -> tuple[PrecisionRecall, ...]:
    targets, known = scored.clip_targets()
    policies = [bundle.manifest.policies[label] for label in scored.labels]
    peaks = scored.peak_scores(policies)
    return precision_recall_curves(targets, known, peaks, scored.labels, policies)


def _robustness(
    scored: ScoredTable, conditions: Sequence[Condition]
) -> tuple[ConditionResult, ...]:
    targets, known = scored.clip_targets()
    return tuple(
        judge_condition(
            condition,
            targets,
            np.stack([each.conditions[i] for each in scored.clips]),
            scored.labels,
            known,
        )
        for i, condition in enumerate(conditions)
    )


def _events(bundle: Bundle, scored: ScoredTable) -> EventMetrics | None:
    """Of the clips that say when each label is heard, or that none is."""
    timed = [each.every_label for each in scored.clips if each.clip.spans or not each.clip.labels]
    if not any(file.truth for file in timed):
        return None
    return bundle_events(bundle, timed, scored.labels)


def bundle_events(
    bundle: Bundle, files: Sequence[ScoredFile], labels: Sequence[str]
) -> EventMetrics:
    """Event metrics with the bundle's policies, PSDS of the smoothed scores; of these labels.

    The files have scores of all labels of the bundle.
    """
    hop = bundle.manifest.features.patch_hop_seconds
    policies = ordered_policies(bundle)
    found = [find_spans(file, policies, hop) for file in files]
    lengths = [policy.smoothing_patches(hop) for policy in policies.values()]
    columns = [bundle.labels.index(label) for label in labels]
    smoothed = [choose_columns(smooth_file(file, lengths), columns) for file in files]
    return event_metrics(smoothed, found, labels)
