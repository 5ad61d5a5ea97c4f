"""A bundle judged on data that it never saw."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.bundle import Bundle
from trainer.data.audio import read_audio
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.targets import clip_targets, patch_targets
from trainer.errors import DataError
from trainer.evaluation.alarms import AmbientAlarms, NoiseAlarms, ambient_alarms, noise_alarms
from trainer.evaluation.clip_metrics import ClipMetrics, Mask, clip_metrics
from trainer.evaluation.event_metrics import EventMetrics, event_metrics
from trainer.evaluation.matching import match_classes
from trainer.evaluation.medians import smooth_file
from trainer.evaluation.robustness import (
    Condition,
    ConditionResult,
    judge_condition,
    score_condition,
    standard_conditions,
)
from trainer.evaluation.scoring import Scorer, find_spans, open_scorer, score_file
from trainer.evaluation.spans import ScoredFile
from trainer.evaluation.unseen import check_unseen

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]  # clips done, clips in all


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
    robustness: tuple[ConditionResult, ...]
    events: EventMetrics | None
    noise: tuple[NoiseAlarms, ...]
    ambient: AmbientAlarms | None
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
        allow_seen: do not look whether the bundle was trained on the clips.
        noise_labels: labels that are right to hear noise, of a bundle that knows noise as a sound.
        scorer: what gives the scores; default: the bundle's model in the daemon's engine.
        progress: called after each clip.

    Raises:
        DataError: a class that the bundle does not know, clips that it was trained on, or no clip that
            can be read.
        BundleError: the model cannot be run.
    """
    if not allow_seen:
        check_unseen(bundle, table)
    table = match_classes(table, bundle)
    scorer = scorer or open_scorer(bundle)
    conditions = standard_conditions(scorer.features.sample_rate_hz) if robust else ()
    clips = list(_score_clips(scorer, table, conditions, progress))
    scored = [clip for clip in clips if isinstance(clip, _ScoredClip)]
    if not scored:
        raise DataError(f"evaluation: expected clips that can be read, got none of {len(clips)}")
    policies, hop = bundle.manifest.policies, scorer.features.patch_hop_seconds
    every_policy = {label: policies[label] for label in bundle.labels}
    columns = [bundle.labels.index(label) for label in table.classes]
    return Evaluation(
        bundle=bundle.id,
        labels=table.classes,
        clip=_clip_level(scored, table.classes, columns),
        patch=_patch_level(scored, table.classes, columns, scorer),
        robustness=_robustness(scored, conditions, table.classes, columns),
        events=_events(bundle, scored, table.classes, columns),
        noise=noise_alarms(scorer, every_policy, ignored=noise_labels),
        ambient=ambient_alarms(ambient, every_policy, hop) if ambient else None,
        quarantined=(
            *table.quarantined,
            *(clip for clip in clips if isinstance(clip, Quarantined)),
        ),
    )


@dataclass(frozen=True, slots=True)
class _ScoredClip:
    """A clip, its scores of all the bundle's labels, and its mean scores under each condition."""

    clip: Clip
    file: ScoredFile
    conditions: tuple[NDArray[np.float32], ...]


def _score_clips(
    scorer: Scorer, table: ClipTable, conditions: Sequence[Condition], progress: Progress | None
) -> Iterator[_ScoredClip | Quarantined]:
    """One clip in memory at a time."""
    for index, clip in enumerate(table.clips):
        try:
            samples = read_audio(clip, scorer.features.sample_rate_hz)
        except DataError as error:
            log.warning("left out: %s", error)
            yield Quarantined(clip.path, str(error))
        else:
            yield _score_clip(scorer, clip, samples, conditions, index)
        if progress is not None:
            progress(index + 1, len(table.clips))


def _score_clip(
    scorer: Scorer, clip: Clip, samples: Samples, conditions: Sequence[Condition], index: int
) -> _ScoredClip:
    file = score_file(scorer, samples, clip.path.name, clip.spans)
    changed = (score_condition(scorer, each, samples, index) for each in conditions)
    return _ScoredClip(clip, file, tuple(changed))


def _clip_targets(clips: Sequence[_ScoredClip], labels: tuple[str, ...]) -> tuple[Mask, Mask]:
    """What is in the clips, and where anybody knows, (N, K)."""
    targets = [clip_targets(each.clip, labels) for each in clips]
    return (
        np.concatenate([each.values for each in targets]) > 0,
        np.concatenate([each.known for each in targets]) > 0,
    )


def _clip_level(
    clips: Sequence[_ScoredClip], labels: tuple[str, ...], columns: list[int]
) -> ClipMetrics:
    targets, known = _clip_targets(clips, labels)
    scores = np.stack([each.file.scores.mean(axis=0) for each in clips])
    return clip_metrics(targets, scores[:, columns], labels, known=known)


def _patch_level(
    clips: Sequence[_ScoredClip], labels: tuple[str, ...], columns: list[int], scorer: Scorer
) -> ClipMetrics:
    targets = [
        patch_targets(each.clip, labels, len(each.file.scores), each.file.seconds, scorer.features)
        for each in clips
    ]
    return clip_metrics(
        np.concatenate([each.values for each in targets]) > 0,
        np.concatenate([each.file.scores[:, columns] for each in clips]),
        labels,
        known=np.concatenate([each.known for each in targets]) > 0,
    )


def _robustness(
    clips: Sequence[_ScoredClip],
    conditions: Sequence[Condition],
    labels: tuple[str, ...],
    columns: list[int],
) -> tuple[ConditionResult, ...]:
    targets, known = _clip_targets(clips, labels)
    return tuple(
        judge_condition(
            condition,
            targets,
            np.stack([each.conditions[i] for each in clips])[:, columns],
            labels,
            known,
        )
        for i, condition in enumerate(conditions)
    )


def _events(
    bundle: Bundle, clips: Sequence[_ScoredClip], labels: tuple[str, ...], columns: list[int]
) -> EventMetrics | None:
    """Of the clips that say when each label is heard, or that none is."""
    timed = [each.file for each in clips if each.clip.spans or not each.clip.labels]
    if not any(file.truth for file in timed):
        return None
    return bundle_events(bundle, timed, labels, columns)


def bundle_events(
    bundle: Bundle, files: Sequence[ScoredFile], labels: Sequence[str], columns: Sequence[int]
) -> EventMetrics:
    """Event metrics of scored files with the bundle's policies; PSDS of the smoothed scores."""
    hop = bundle.manifest.features.patch_hop_seconds
    policies = {label: bundle.manifest.policies[label] for label in bundle.labels}
    found = [find_spans(file, policies, hop) for file in files]
    lengths = [policy.smoothing_patches(hop) for policy in policies.values()]
    smoothed = [_choose(smooth_file(file, lengths), columns) for file in files]
    return event_metrics(smoothed, found, labels)


def _choose(file: ScoredFile, columns: Sequence[int]) -> ScoredFile:
    return ScoredFile(file.name, file.scores[:, list(columns)], file.boundaries, file.truth)
