"""Tables of spans: filename, onset, offset, label; comma or tab separated.

sed_eval's and DESED's event lists are of this form: tabs, the label's column named `event_label`, and
sed_eval allows the names of the columns to be left out (https://tut-arg.github.io/sed_eval/).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from listener.detection.clip import LabelSpan
from trainer.data.clips import BACKGROUND, Clip, ClipTable, Quarantined, is_background
from trainer.data.files import (
    Row,
    TextTable,
    audio_files,
    find_audio,
    group_of,
    number_rows,
    read_lines,
    set_name,
)
from trainer.data.folds import fold_of
from trainer.data.quarantine import quarantined
from trainer.errors import DataError

LABEL_COLUMNS = ("event_label", "label")


# Clips of which somebody said when each sound begins and ends.


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


COLUMNS = frozenset({"filename", "onset", "offset"})
_UNNAMED = ["filename", "onset", "offset", "event_label"]


def label_column(columns: frozenset[str]) -> str | None:
    """The column with the labels, if these are the columns of such a table."""
    found = [name for name in LABEL_COLUMNS if name in columns]
    return found[0] if found and columns >= COLUMNS else None


def read_unnamed_columns(path: Path) -> TextTable | None:
    """The table in a file without column names, if its first line is a file, two numbers and a label."""
    cells = list(csv.reader(read_lines(path), delimiter="\t"))
    if not cells or len(cells[0]) != len(_UNNAMED) or not _are_numbers(cells[0][1:3]):
        return None
    rows = number_rows(path, _UNNAMED, cells, first=1)
    return TextTable(path, frozenset(_UNNAMED), tuple(rows))


def _are_numbers(cells: list[str]) -> bool:
    return all(cell.strip().replace(".", "", 1).isdecimal() for cell in cells)


def read_span_table(table: TextTable, labels: str) -> ClipTable:
    """A clip for every file; a file with nothing but its name in its row holds no sound of the classes.

    A column `fold` is kept. `labels` is the name of the labels' column.

    Raises:
        DataError: a row that is not a file and a span, or a file in two folds.
    """
    spans: defaultdict[str, list[LabelSpan]] = defaultdict(list)
    folds: dict[str, int | None] = {}
    for row in table.rows:
        name, fold = _filename(row), _fold(row)
        if folds.setdefault(name, fold) != fold:
            raise DataError(f"{row.where}: {name}: expected fold {folds[name]}, got {fold}")
        spans[name] += [] if _is_empty(row, labels) else [read_span(row, labels)]
    return spanned_table([_clip(table, name, spans[name], folds[name]) for name in folds])


def _clip(table: TextTable, name: str, spans: list[LabelSpan], fold: int | None) -> Clip:
    return make_spanned_clip(find_audio(table.path, name), set_name(table.path), spans, fold)


def _filename(row: Row) -> str:
    if not row["filename"]:
        raise DataError(f"{row.where}: filename: expected the name of a file, got nothing")
    return row["filename"]


def _fold(row: Row) -> int | None:
    if row["fold"] and not row["fold"].isdecimal():
        raise DataError(f"{row.where}: fold: expected a whole number, got {row['fold']!r}")
    return int(row["fold"]) if row["fold"] else None


def _is_empty(row: Row, labels: str) -> bool:
    return not (row["onset"] or row["offset"] or row[labels])


# Audacity's form: audio, and beside it a label track of the same name in a `.txt` file.


_COLUMNS = ["onset", "offset", "label"]


def holds_label_tracks(folder: Path) -> bool:
    """Whether any audio file here has a label track beside it."""
    return any(_track_of(path).is_file() for path in audio_files(folder))


def read_label_tracks(folder: Path) -> ClipTable:
    """A clip for every file with a label track; an empty one says that none of the classes is heard.

    Audio without a label track is quarantined: nobody said what is in it.

    Raises:
        DataError: a label track that is not one.
    """
    files = audio_files(folder)
    labelled = [path for path in files if _track_of(path).is_file()]
    clips = [
        make_spanned_clip(path, set_name(folder), _read_track(_track_of(path))) for path in labelled
    ]
    left_out = [
        quarantined(path, f"expected a label track {_track_of(path).name} beside it, found none")
        for path in files
        if not _track_of(path).is_file()
    ]
    return spanned_table(clips, left_out)


def _track_of(audio: Path) -> Path:
    return audio.with_suffix(".txt")


def _read_track(path: Path) -> Sequence[LabelSpan]:
    cells = [[] if line.startswith("\\") else line.split("\t") for line in read_lines(path)]
    return [read_span(row, "label") for row in number_rows(path, _COLUMNS, cells, first=1)]
