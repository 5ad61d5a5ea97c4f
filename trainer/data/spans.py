"""Clips of which somebody said when each sound begins and ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from listener.detection.clip import LabelSpan
from trainer.data.background import BACKGROUND, is_background
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.files import Row
from trainer.data.folds import fold_of
from trainer.data.groups import group_of
from trainer.errors import DataError


def read_span(row: Row, label_column: str) -> LabelSpan:
    """The span in the columns onset and offset of a row.

    Raises:
        DataError: no label, a time that is not a number, or not 0 <= onset < offset.
    """
    if not row[label_column]:
        raise DataError(f"{row.where}: {label_column}: expected the name of a class, got nothing")
    onset, offset = row.number("onset"), row.number("offset")
    try:
        return LabelSpan(row[label_column], onset, offset)
    except ValidationError as error:
        raise DataError(
            f"{row.where}: expected 0 <= onset < offset, got {onset:g} and {offset:g}"
        ) from error


def make_spanned_clip(
    path: Path, data: str, spans: Sequence[LabelSpan], fold: int | None = None
) -> Clip:
    """A clip with these sounds and no others; spans of background, or none at all, leave it background."""
    heard = tuple(span for span in spans if not is_background(span.label))
    group = group_of(path, data)
    return Clip(
        path,
        frozenset(span.label for span in heard) or frozenset({BACKGROUND}),
        group,
        fold_of(group) if fold is None else fold,
        spans=heard,
        exhaustive=True,
    )


def spanned_table(clips: Sequence[Clip], left_out: Sequence[Quarantined] = ()) -> ClipTable:
    """The clips with their classes in alphabetical order."""
    classes = sorted({label for clip in clips for label in clip.labels})
    return ClipTable(tuple(clips), tuple(classes), tuple(left_out))
