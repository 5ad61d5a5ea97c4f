"""How clips of new labels score under heads that never heard them: cross-validation over recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.data.clips import Clip
from trainer.evaluation.scored_file import ScoredFile
from trainer.retraining.training_set import CorrectionData

FOLDS = 5


def score_unheard(classroom: CorrectionData) -> dict[str, list[ScoredFile]]:
    """By new label, its clips; each scored by a head that learnt from those of the other folds alone."""
    labels = classroom.station.new_labels
    clips = [each.clip for each in classroom.judged_clips.clips]
    scored: dict[str, list[ScoredFile]] = {label: [] for label in labels}
    folds = make_folds(clips, labels)
    for fold in np.unique(folds[folds >= 0]).tolist():
        for index, file in _score_fold(classroom, folds == fold):
            for label in clips[index].labels.intersection(labels):
                scored[label].append(file)
    return scored


def _score_fold(
    classroom: CorrectionData, held: NDArray[np.bool_]
) -> Iterator[tuple[int, ScoredFile]]:
    head = classroom.learn(np.flatnonzero(~held).tolist())
    for index in np.flatnonzero(held).tolist():
        yield index, classroom.score_clip(classroom.judged_clips, index, head)


def make_folds(clips: Sequence[Clip], labels: Sequence[str]) -> NDArray[np.int64]:
    """The fold of each clip in which one of the labels is heard, -1 of the others, (n,).

    Recordings stay whole. Of a label with fewer of them than folds its clips are parted: else too little
    would be left to learn it from.
    """
    folds = np.full(len(clips), -1)
    for label in labels:
        places = [index for index, clip in enumerate(clips) if label in clip.labels]
        groups = [clips[index].group for index in places]
        names = list(dict.fromkeys(groups))
        whole = len(names) >= FOLDS
        numbers = [names.index(group) for group in groups] if whole else range(len(places))
        for index, number in zip(places, numbers, strict=True):
            folds[index] = number % FOLDS
    return folds
