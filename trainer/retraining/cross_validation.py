"""Cross-validation of clips with a verdict: verdicts that all others contradict, scores of new labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainer.data.batches import Batch, join_batches
from trainer.data.clips import Clip
from trainer.evaluation.scored_file import ScoredFile
from trainer.retraining import correction, linear_head, thresholds, training_set, verdicts

FOLDS = 5
# The review of labels
EPOCHS = 4  # enough to see a contradiction, in a third of the time
STRONGLY = 0.9  # a score this sure of the opposite
FEWEST_OTHERS = 2  # clips with the label, and clips without it, before another one is doubted
_SAID = 0.5  # of a target: two labels at once share the whole


@dataclass(frozen=True, slots=True)
class LabelDoubt:
    """A verdict to check: people said the label is there (or not), the others say the opposite.

    `score` is given by a head that was not trained on this clip. The provenance of a bundle has these
    fields.
    """

    clip: str
    path: str
    label: str
    said_there: bool
    score: float


def find_doubts(data: training_set.CorrectionData) -> tuple[LabelDoubt, ...]:
    """Cross-validated over clips: each is scored by a head that was trained on the others alone.

    The head starts at zero and not at the bundle's, which corrections are there to contradict; for the
    same reason the rehearsal, which may be the bundle's own scores, is left out.
    """
    judged, rows, columns = data.judged, data.verdict_rows, data.builder.columns
    recipe = data.builder.recipe
    settings = replace(recipe.fit, max_epochs=EPOCHS)
    zeros = np.zeros((data.builder.backbone.embedding_size, len(columns)), np.float32)
    start = linear_head.LinearHead(zeros, zeros, zeros[0])
    ambient = [] if data.ambient_rows is None else [replace(data.ambient_rows, share=1.0)]
    named = verdicts.named_columns(columns, judged)
    doubts: list[LabelDoubt] = []
    folds = np.arange(len(judged)) % FOLDS
    for fold in np.unique(folds):
        held = np.flatnonzero(folds == fold).tolist()
        rest = np.flatnonzero(folds != fold).tolist()
        if not rest:
            continue
        learnt = correction.Component(join_batches([rows[index] for index in rest]), 1.0)
        head = correction.fit_correction(
            start, (learnt, *ambient), settings, recipe.batch_size, named, only=named
        )
        others = [judged[index] for index in rest]
        for index in held:
            scores = head.scores(rows[index].inputs, settings.activation)
            doubts += _doubts_of(judged[index], rows[index], scores, others, columns)
    return tuple(sorted(doubts, key=lambda doubt: doubt.clip))


def _doubts_of(
    judged: verdicts.JudgedClip,
    rows: Batch,
    scores: NDArray[np.float32],
    others: Sequence[verdicts.JudgedClip],
    columns: tuple[str, ...],
) -> list[LabelDoubt]:
    """The labels that the verdict names and the scores deny, where the others say enough of them."""
    found = []
    for label in sorted(judged.clip.labels | judged.clip.negatives):
        column, there = columns.index(label), label in judged.clip.labels
        with_label = sum(label in each.clip.labels for each in others)
        if min(with_label, len(others) - with_label) < FEWEST_OTHERS:
            continue
        said = rows.targets[:, column] >= _SAID
        if not there:
            score = float(scores[:, column].max())
        else:
            score = float(scores[said, column].mean()) if said.any() else 1.0
        if (score < 1.0 - STRONGLY) if there else (score > STRONGLY):
            record = judged.record
            found.append(LabelDoubt(record.id, str(record.path), label, there, score))
    return found


@dataclass(frozen=True, slots=True)
class OwnScores:
    """Clips of a new label and their wide copies, if any, by heads that were not trained on them."""

    takes: thresholds.ScoredFiles
    copies: thresholds.ScoredFiles


def cross_validated_scores(data: training_set.CorrectionData) -> dict[str, OwnScores]:
    """By new label, its clips; each scored by a head that was trained on the other folds alone."""
    labels = data.verdicts.new_labels
    clips = [each.clip for each in data.judged_clips.clips]
    takes: dict[str, list[ScoredFile]] = {label: [] for label in labels}
    copies: dict[str, list[ScoredFile]] = {label: [] for label in labels}
    folds = make_folds(clips, labels)
    for fold in np.unique(folds[folds >= 0]).tolist():
        head = data.fit_head(np.flatnonzero(folds != fold).tolist(), only_new=True)
        for index in np.flatnonzero(folds == fold).tolist():
            take = data.score_clip(data.judged_clips, index, head)
            wide = [data.score_clip(*each, head) for each in data.widening.copies_of(clips[index])]
            for label in clips[index].labels.intersection(labels):
                takes[label].append(take)
                copies[label] += wide
    hop = data.judged_clips.features.patch_hop_seconds
    return {
        label: OwnScores(
            *(thresholds.ScoredFiles(tuple(each[label]), hop) for each in (takes, copies))
        )
        for label in labels
    }


def make_folds(clips: Sequence[Clip], labels: Sequence[str]) -> NDArray[np.int64]:
    """The fold of each clip that holds one of the labels, -1 of the others, (n,).

    Recordings stay whole. A label with fewer recordings than folds is split by clip: else too little
    would be left to train on.
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
