"""A bundle judged on data that it never saw."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from listener.detection.bundle import Bundle
from trainer.data.clips import ClipTable, Quarantined
from trainer.evaluation import clip_metrics, scored_clips, scored_file, selection, station_events
from trainer.evaluation.event_metrics import EventMetrics, event_metrics
from trainer.evaluation.examples import Example, choose_examples
from trainer.evaluation.false_alarms import AmbientAlarms, NoiseAlarms, ambient_alarms, noise_alarms
from trainer.evaluation.scoring import Scorer, find_spans, open_scorer, ordered_policies
from trainer.terminal import Progress


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that was measured; `to_document` makes JSON of it.

    `station` is what the daemon would report of the clips. `clip` and `patch` are metrics of the clips
    (mean over their patches; of a background clip, whether it gives an event) and of single patches.
    `events` is None where no clip says when its labels are heard, `ambient` where there was none.
    """

    bundle: str
    labels: tuple[str, ...]
    station: station_events.StationEvents
    clip: clip_metrics.ClipMetrics
    patch: clip_metrics.ClipMetrics
    curves: tuple[clip_metrics.PrecisionRecall, ...]
    robustness: tuple[scored_clips.ConditionResult, ...]
    events: EventMetrics | None
    noise: tuple[NoiseAlarms, ...]
    ambient: AmbientAlarms | None
    examples: tuple[Example, ...]
    quarantined: tuple[Quarantined, ...]


def evaluate_bundle(
    bundle: Bundle,
    table: ClipTable,
    *,
    ambient: Sequence[scored_file.ScoredFile] = (),
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
        robust: also with noise, reverb, gain and less bandwidth, which takes twenty times as long.
        allow_seen: do not check whether the bundle was trained or calibrated on the clips.
        noise_labels: labels that are right to hear noise, of a bundle that knows noise as a sound.
        scorer: what gives the scores; default: the bundle's model in the daemon's engine.
        progress: called after each clip.

    Raises:
        DataError: a class that the bundle does not know, clips that it was trained on, or no clip that
            can be read.
        BundleError: the model cannot be run.
    """
    if not allow_seen:
        selection.check_unseen(bundle, selection.paths_of(table))
    table = selection.match_classes(table, bundle)
    scorer = scorer or open_scorer(bundle)
    conditions = scored_clips.standard_conditions(scorer.features.sample_rate_hz) if robust else ()
    scored = scored_clips.score_table(scorer, table, bundle.labels, conditions, progress)
    noise = noise_alarms(scorer, ordered_policies(bundle), ignored=noise_labels)
    return _measure(bundle, scored, conditions, noise, ambient)


def _measure(
    bundle: Bundle,
    scored: scored_clips.ScoredTable,
    conditions: Sequence[scored_clips.Condition],
    noise: tuple[NoiseAlarms, ...],
    ambient: Sequence[scored_file.ScoredFile],
) -> Evaluation:
    labels, hop = scored.labels, scored.features.patch_hop_seconds
    policies = [bundle.manifest.policies[label] for label in labels]
    targets, known = scored.clip_targets()
    patch_targets, patch_known = scored.patch_targets()
    patch_scores = np.concatenate([each.file.scores for each in scored.clips])
    peaks = scored.peak_scores(policies)
    thresholds = np.array([policy.on_threshold for policy in policies], np.float32)
    files = [each.file for each in scored.clips]
    events = station_events.count_events(files, dict(zip(labels, policies, strict=True)), hop)
    return Evaluation(
        bundle=bundle.id,
        labels=labels,
        station=station_events.judge_events(events, files, targets, known, labels),
        clip=clip_metrics.clip_metrics(
            targets, scored.mean_scores(), labels, known=known, passed=events > 0
        ),
        patch=clip_metrics.clip_metrics(
            patch_targets,
            patch_scores,
            labels,
            known=patch_known,
            passed=patch_scores >= thresholds,
        ),
        curves=clip_metrics.precision_recall_curves(targets, known, peaks, labels, policies),
        robustness=tuple(
            scored_clips.judge_condition(
                condition,
                targets,
                np.stack([each.conditions[i] for each in scored.clips]),
                labels,
                known,
                thresholds,
            )
            for i, condition in enumerate(conditions)
        ),
        events=_event_metrics(bundle, scored),
        noise=noise,
        ambient=ambient_alarms(ambient, ordered_policies(bundle), hop) if ambient else None,
        examples=choose_examples(scored),
        quarantined=scored.quarantined,
    )


def _event_metrics(bundle: Bundle, scored: scored_clips.ScoredTable) -> EventMetrics | None:
    """Of the clips that say when each label is heard, or that none is; PSDS of smoothed scores."""
    files = [each.every_label for each in scored.clips if each.clip.spans or not each.clip.labels]
    if not any(file.truth for file in files):
        return None
    policies, hop = ordered_policies(bundle), scored.features.patch_hop_seconds
    found = [find_spans(file, policies, hop) for file in files]
    lengths = [policy.smoothing_patches(hop) for policy in policies.values()]
    columns = [bundle.labels.index(label) for label in scored.labels]
    smoothed = [scored_file.smooth_file(file, lengths).with_columns(columns) for file in files]
    return event_metrics(smoothed, found, scored.labels)
