"""What `--data` may point at; several of them become one table.

- ESC-50's CSV, or the folder that holds it (also in `meta/`)
- a table of spans (CSV, or tab separated as of sed_eval), or the folder that holds it
- a folder of audio with Audacity label tracks
- a station's clip store
- a folder per class
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from trainer.data.checks import check_table, merge_tables, warn_of_lone_recordings
from trainer.data.clip_store import holds_clip_store, read_clip_store
from trainer.data.clips import BACKGROUND, Clip, ClipTable, is_background
from trainer.data.files import (
    Row,
    TextTable,
    audio_files,
    find_audio,
    group_of,
    read_text_table,
    set_name,
)
from trainer.data.folds import fold_of
from trainer.data.quarantine import quarantined
from trainer.data.span_formats import (
    holds_label_tracks,
    label_column,
    read_label_tracks,
    read_span_table,
    read_unnamed_columns,
)
from trainer.errors import DataError

_EXPECTED = (
    "expected a CSV with filename, fold, category (ESC-50) or filename, onset, offset, label, "
    "a folder with such a CSV, a folder per class, a clip store, or audio with Audacity label tracks"
)


# A folder per class: its name is the class, all audio in it and below it is of that class.


def holds_class_folders(root: Path) -> bool:
    """Whether there is audio in the folders of this folder, or it is itself one of background."""
    return any(audio_files(folder, deep=True) for folder in _class_folders(root))


def read_class_folders(root: Path) -> ClipTable:
    """A clip for every file; folders named background, ambient or noise are the background class.

    Raises:
        DataError: a class folder without audio.
    """
    folders = _class_folders(root)
    clips = [clip for folder in folders for clip in _read_folder(root, folder)]
    return ClipTable(tuple(clips), tuple(dict.fromkeys(_class_of(folder) for folder in folders)))


def _class_folders(root: Path) -> list[Path]:
    if is_background(set_name(root)) and audio_files(root):
        return [root]
    return sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))
    )


def _class_of(folder: Path) -> str:
    return BACKGROUND if is_background(folder.name) else folder.name


def _read_folder(root: Path, folder: Path) -> list[Clip]:
    files = audio_files(folder, deep=True)
    if not files:
        raise DataError(f"{folder}: expected audio of class {folder.name!r}, found none")
    return [_clip(root, path, _class_of(folder)) for path in files]


def _clip(root: Path, path: Path, label: str) -> Clip:
    group = group_of(path, set_name(root), label)
    return Clip(path, frozenset({label}), group, fold_of(group), exhaustive=True)


# ESC-50's form: a CSV with filename, fold, target and category; the audio in `audio/`.


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
        _clip_esc50(table, name, fold, named, recordings[name])
        for (name, fold), named in labels.items()
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


def _clip_esc50(table: TextTable, name: str, fold: int, labels: set[str], recording: str) -> Clip:
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


TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
_Reader = Callable[[], ClipTable]


def read_clips(paths: Sequence[Path], classes: Sequence[str] | None = None) -> ClipTable:
    """All clips of all paths; with `classes`, of these only and in this order.

    Classes are one if their slugs are. A file that a table names but that is not there is quarantined.

    Raises:
        DataError: a path of no known form, a malformed row, a class without clips, a label that is not
            in `classes`, a recording in two folds.
    """
    if not paths:
        raise DataError("expected at least one data set, got none")
    table = _quarantine_missing(merge_tables([_read(path) for path in paths], classes))
    check_table(table, complete=classes is None)
    warn_of_lone_recordings(table)
    return table


def _read(path: Path) -> ClipTable:
    if not path.exists():
        raise DataError(f"{path}: expected a file or folder, found nothing")
    reader = _folder_reader(path) if path.is_dir() else _file_reader(path)
    if reader is None:
        raise DataError(f"{path}: {_EXPECTED}")
    return reader()


def _file_reader(path: Path) -> _Reader | None:
    if path.suffix.lower() not in TABLE_SUFFIXES:
        return None
    unnamed = read_unnamed_columns(path)
    return _table_reader(unnamed or read_text_table(path))


def _table_reader(table: TextTable) -> _Reader | None:
    if table.columns >= ESC50_COLUMNS:
        return partial(read_esc50, table)
    labels = label_column(table.columns)
    return None if labels is None else partial(read_span_table, table, labels)


def _folder_reader(folder: Path) -> _Reader | None:
    if holds_clip_store(folder):
        return partial(read_clip_store, folder)
    tables = [path for path in _tables_in(folder) if _file_reader(path)]
    if len(tables) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in tables)
        raise DataError(f"{folder}: expected one table of labels, found {names}: name the one")
    if tables:
        return _file_reader(tables[0])
    if holds_label_tracks(folder):
        return partial(read_label_tracks, folder)
    if holds_class_folders(folder):
        return partial(read_class_folders, folder)
    return None


def _tables_in(folder: Path) -> list[Path]:
    # not .txt: a label track beside its audio is one
    return sorted(path for meta in (folder, folder / "meta") for path in meta.glob("*.[ct]sv"))


def _quarantine_missing(table: ClipTable) -> ClipTable:
    there = tuple(clip for clip in table.clips if clip.path.is_file())
    missing = dict.fromkeys(clip.path for clip in table.clips if not clip.path.is_file())
    left_out = tuple(quarantined(path, "expected a file, found none") for path in missing)
    return ClipTable(there, table.classes, table.quarantined + left_out)
