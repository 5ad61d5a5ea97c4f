"""ESC-50's form: a CSV with filename, fold, target and category; the audio in `audio/`.

https://github.com/karolpiczak/ESC-50
"""

from __future__ import annotations

from collections import defaultdict

from trainer.data.background import BACKGROUND, is_background
from trainer.data.clips import Clip, ClipTable
from trainer.data.files import Row, TextTable, find_audio, set_name
from trainer.data.groups import group_of
from trainer.errors import DataError

ESC50_COLUMNS = frozenset({"filename", "fold", "category"})


def read_esc50(table: TextTable) -> ClipTable:
    """One clip a file, in the official folds; the classes in the order of `target`, if it has one.

    Rows of the same file and fold are labels of one clip.

    Raises:
        DataError: a row without a file name, a category or a whole number as its fold.
    """
    labels: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    recordings: dict[str, str] = {}
    for row in table.rows:
        labels[row["filename"], _fold(row)].add(_category(row))
        recordings[row["filename"]] = row["src_file"]
    clips = [
        _clip(table, name, fold, named, recordings[name]) for (name, fold), named in labels.items()
    ]
    return ClipTable(tuple(clips), _classes(table))


def _fold(row: Row) -> int:
    if not row["filename"]:
        raise DataError(f"{row.where}: filename: expected the name of a file, got nothing")
    if not row["fold"].isdecimal():
        raise DataError(f"{row.where}: fold: expected a whole number, got {row['fold']!r}")
    return int(row["fold"])


def _category(row: Row) -> str:
    if not row["category"]:
        raise DataError(f"{row.where}: category: expected the name of a class, got nothing")
    return BACKGROUND if is_background(row["category"]) else row["category"]


def _clip(table: TextTable, name: str, fold: int, labels: set[str], recording: str) -> Clip:
    path = find_audio(table.path, name)
    named = group_of(path, set_name(table.path), next(iter(labels)) if len(labels) == 1 else "")
    group = f"esc/{recording}" if recording else named
    return Clip(path, frozenset(labels), group, fold, exhaustive=True)


def _classes(table: TextTable) -> tuple[str, ...]:
    order = "target" if "target" in table.columns else "category"
    targets = {_category(row): _sort_key(row[order]) for row in table.rows}
    return tuple(sorted(targets, key=lambda name: (targets[name], name)))


def _sort_key(target: str) -> tuple[int, str]:
    return (int(target), "") if target.isdecimal() else (0, target)
