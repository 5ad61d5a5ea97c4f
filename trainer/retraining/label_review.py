"""Verdicts that look wrong: what the other verdicts say of the same sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainer.data.batches import Batch
from trainer.model.settings import FitSettings
from trainer.retraining.correction import Part, join_rows, learn_correction
from trainer.retraining.linear_head import LinearHead
from trainer.retraining.verdicts import Judged, named_columns

FOLDS = 5
EPOCHS = 4  # enough to see a contradiction, a third of the time
_SAID = 0.5  # of a target: two labels at once share the whole
STRONGLY = 0.9  # a score this sure of the opposite
FEWEST_OTHERS = 2  # clips with the label, and clips without it, before anything is said of another


@dataclass(frozen=True, slots=True)
class LabelDoubt:
    """A verdict to look at again: people said the label is there (or not), the others say the opposite.

    `score` is what a head that never heard this clip gives it.
    """

    clip: str
    path: str
    label: str
    said_there: bool
    score: float


def find_doubts(
    judged: Sequence[Judged],
    rows: Sequence[Batch],
    others: Sequence[Part],
    columns: tuple[str, ...],
    settings: FitSettings,
    batch_size: int,
) -> tuple[LabelDoubt, ...]:
    """Cross-validated over clips: each is scored by a head that learnt from the rest alone.

    The head begins at nothing, not at the bundle: a correction contradicts the bundle, that is what it is
    for. `rows` are those of the judged clips, `others` what is learnt from beside them.
    """
    doubts: list[LabelDoubt] = []
    short = replace(settings, max_epochs=EPOCHS)
    folds = np.arange(len(judged)) % FOLDS
    for fold in np.unique(folds):
        held = np.flatnonzero(folds == fold).tolist()
        rest = np.flatnonzero(folds != fold).tolist()
        if not rest:
            continue
        learnt = Part(join_rows([rows[number] for number in rest]), 1.0)
        parts = (learnt, *(replace(part, share=1.0) for part in others))
        nothing = _nothing(rows[0].inputs.shape[1], len(columns))
        named = named_columns(columns, judged)
        head = learn_correction(nothing, parts, short, batch_size, named)
        heard = [judged[number] for number in rest]
        for number in held:
            scores = head.scores(rows[number].inputs, settings.activation)
            doubts += _doubts_of(judged[number], rows[number], scores, heard, columns)
    return tuple(sorted(doubts, key=lambda doubt: doubt.clip))


def _nothing(size: int, outputs: int) -> LinearHead:
    empty = np.zeros((size, outputs), np.float32)
    return LinearHead(empty, empty, np.zeros(outputs, np.float32))


def _doubts_of(
    judged: Judged,
    rows: Batch,
    scores: NDArray[np.float32],
    others: Sequence[Judged],
    columns: tuple[str, ...],
) -> list[LabelDoubt]:
    found = []
    for label in sorted(judged.clip.labels | judged.clip.negatives):
        place, there = columns.index(label), label in judged.clip.labels
        score = _score_of(scores[:, place], rows.targets[:, place], there=there)
        opposite = score < 1.0 - STRONGLY if there else score > STRONGLY
        if opposite and _is_known(label, others):
            record = judged.record
            found.append(LabelDoubt(record.id, str(record.path), label, there, score))
    return found


def _score_of(scores: NDArray[np.float32], targets: NDArray[np.float32], *, there: bool) -> float:
    """The mean where the label is said to be; the highest where it is said to be nowhere."""
    if not there:
        return float(scores.max())
    said = targets >= _SAID
    return float(scores[said].mean()) if said.any() else 1.0


def _is_known(label: str, others: Sequence[Judged]) -> bool:
    """Whether the other clips say enough of the label, on both sides."""
    there = sum(label in each.clip.labels for each in others)
    return there >= FEWEST_OTHERS and len(others) - there >= FEWEST_OTHERS
