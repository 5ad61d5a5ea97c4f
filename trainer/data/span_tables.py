"""Tables of spans: filename, onset, offset, label; comma or tab separated.

sed_eval's and DESED's event lists are of this form: tabs, the label's column named `event_label`, and
sed_eval allows the names of the columns to be left out (https://tut-arg.github.io/sed_eval/).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from listener.detection.clip import LabelSpan
from trainer.data.clips import Clip, ClipTable
from trainer.data.files import Row, TextTable, find_audio, number_rows, read_lines, set_name
from trainer.data.spans import make_spanned_clip, read_span, spanned_table
from trainer.errors import DataError

COLUMNS = frozenset({"filename", "onset", "offset"})
LABEL_COLUMNS = ("event_label", "label")
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
