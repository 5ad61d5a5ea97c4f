"""The clips of a table with the scores that a bundle gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.targets import Targets, clip_targets, patch_targets
from trainer.errors import DataError
from trainer.evaluation.clip_metrics import Mask
from trainer.evaluation.medians import smooth_file
from trainer.evaluation.reading import Progress, read_one_by_one
from trainer.evaluation.robustness import Condition, score_condition
from trainer.evaluation.scoring import Scorer, score_file
from trainer.evaluation.spans import ScoredFile


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """A clip, its scores, and its mean scores (K,) under each condition.

    `every_label` has the scores of all labels of the bundle, as the daemon's detector sees them.
    """

    clip: Clip
    file: ScoredFile
    every_label: ScoredFile
    conditions: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, slots=True)
class ScoredTable:
    """The clips that could be read; the columns of their scores are `labels`, the table's classes."""

    clips: tuple[ScoredClip, ...]
    labels: tuple[str, ...]
    features: FeatureParams
    quarantined: tuple[Quarantined, ...]

    def clip_targets(self) -> tuple[Mask, Mask]:
        """What is in the clips, and where anybody knows, (N, K)."""
        return _stack(clip_targets(each.clip, self.labels) for each in self.clips)

    def patch_targets(self) -> tuple[Mask, Mask]:
        """The same of all patches of all clips."""
        return _stack(
            patch_targets(
                each.clip, self.labels, len(each.file.scores), each.file.seconds, self.features
            )
            for each in self.clips
        )

    def mean_scores(self) -> NDArray[np.float32]:
        """Of each clip, (N, K)."""
        return np.stack([each.file.scores.mean(axis=0) for each in self.clips])

    def peak_scores(self, policies: Sequence[LabelPolicy]) -> NDArray[np.float32]:
        """The highest smoothed score of each clip, (N, K); a policy for each label."""
        hop = self.features.patch_hop_seconds
        lengths = [policy.smoothing_patches(hop) for policy in policies]
        return np.stack([smooth_file(each.file, lengths).scores.max(axis=0) for each in self.clips])


def _stack(targets: Iterable[Targets]) -> tuple[Mask, Mask]:
    each = list(targets)
    return (
        np.concatenate([one.values for one in each]) > 0,
        np.concatenate([one.known for one in each]) > 0,
    )


def score_table(
    scorer: Scorer,
    table: ClipTable,
    every_label: Sequence[str],
    conditions: Sequence[Condition] = (),
    progress: Progress | None = None,
) -> ScoredTable:
    """Score every clip, also under each condition; `every_label` are the columns of the scorer.

    Raises:
        DataError: no clip can be read.
    """
    columns = [list(every_label).index(label) for label in table.classes]
    clips: list[ScoredClip] = []
    left_out: list[Quarantined] = []
    reading = read_one_by_one(table, scorer.features.sample_rate_hz, progress)
    for index, (clip, samples) in enumerate(reading):
        if isinstance(samples, Quarantined):
            left_out.append(samples)
        else:
            clips.append(_score_clip(scorer, clip, samples, columns, conditions, index))
    if not clips:
        raise DataError(f"expected clips that can be read, got none of {len(table.clips)}")
    quarantined = (*table.quarantined, *left_out)
    return ScoredTable(tuple(clips), table.classes, scorer.features, quarantined)


def _score_clip(
    scorer: Scorer,
    clip: Clip,
    samples: Samples,
    columns: list[int],
    conditions: Sequence[Condition],
    index: int,
) -> ScoredClip:
    file = score_file(scorer, samples, clip.path.name, clip.spans)
    changed = (score_condition(scorer, each, samples, index)[columns] for each in conditions)
    return ScoredClip(clip, choose_columns(file, columns), file, tuple(changed))


def choose_columns(file: ScoredFile, columns: Sequence[int]) -> ScoredFile:
    """The file with the scores of these columns only."""
    return replace(file, scores=file.scores[:, list(columns)])
