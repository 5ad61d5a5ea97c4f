"""What another bundle gets wrong of the same clips that the one before got right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.evaluation.clip_metrics import ClipMetrics, Mask, Scores, clip_metrics
from trainer.evaluation.regression import RegressionSet

_DIGITS = 6  # of points; sums of binary fractions
_THRESHOLD = 0.5  # of a clip's mean score, for clips without a label


@dataclass(frozen=True, slots=True)
class LabelLoss:
    """One label on the same clips, before and after; shares in [0, 1], None where the clips do not say.

    Of few clips the average precision moves by points when two of them change places, though each is
    still heard: it is shown, and decides nothing.
    """

    label: str
    clips: int
    f1_before: float | None
    f1_after: float | None
    average_precision_before: float | None
    average_precision_after: float | None

    @property
    def lost_points(self) -> float:
        """Of F1, less than 0 is a gain; a hundred where the label is gone."""
        return round(100.0 * ((self.f1_before or 0.0) - (self.f1_after or 0.0)), _DIGITS)


def compare_labels(
    held_out: RegressionSet,
    before: Scores,
    before_labels: Sequence[str],
    after: Scores,
    after_labels: Sequence[str],
) -> tuple[LabelLoss, ...]:
    """Every label that the held-out clips hold; scores are means of clips, (N, K) by their labels.

    A label is said to be in a clip if it has the highest score of all, new labels included, and if the
    clip has none of the labels, if it reaches a half.
    """
    first = _metrics(held_out, before, before_labels)
    second = _metrics(held_out, after, after_labels)
    return tuple(
        LabelLoss(
            old.label, old.clips, old.f1, new.f1, old.average_precision, new.average_precision
        )
        for old, new in zip(first.labels, second.labels, strict=True)
        if old.clips
    )


def _metrics(held_out: RegressionSet, scores: Scores, labels: Sequence[str]) -> ClipMetrics:
    decided = _decide(held_out.targets, scores)
    return clip_metrics(
        held_out.targets,
        _columns(scores, labels, held_out.labels),
        held_out.labels,
        decided=_columns(decided.astype(np.float32), labels, held_out.labels) > 0,
        known=held_out.known,
    )


def _decide(targets: Mask, scores: Scores) -> Mask:
    highest = np.eye(scores.shape[1], dtype=np.bool_)[scores.argmax(axis=1)]
    labelled = targets.any(axis=1, keepdims=True)
    return np.where(labelled, highest, scores >= _THRESHOLD)


def _columns(values: Scores, labels: Sequence[str], wanted: Sequence[str]) -> Scores:
    """The wanted columns; one that is not there is 0."""
    places = {label: place for place, label in enumerate(labels)}
    empty = np.zeros(len(values), np.float32)
    return np.stack(
        [values[:, places[label]] if label in places else empty for label in wanted], axis=1
    )
