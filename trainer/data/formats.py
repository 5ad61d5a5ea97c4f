"""What `--data` may point at; several of them become one table.

- ESC-50's CSV, or the folder that holds it (also in `meta/`)
- a table of spans (CSV, or tab separated as of sed_eval), or the folder that holds it
- a folder of audio with Audacity label tracks
- a station's clip store
- a folder per class
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from trainer.data.checks import check_table, warn_of_lone_recordings
from trainer.data.class_folders import holds_class_folders, read_class_folders
from trainer.data.clip_store import holds_clip_store, read_clip_store
from trainer.data.clips import ClipTable
from trainer.data.esc50 import ESC50_COLUMNS, read_esc50
from trainer.data.files import TextTable, read_text_table
from trainer.data.label_tracks import holds_label_tracks, read_label_tracks
from trainer.data.merge import merge_tables
from trainer.data.quarantine import quarantined
from trainer.data.span_tables import label_column, read_span_table, read_unnamed_columns
from trainer.errors import DataError

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
_EXPECTED = (
    "expected a CSV with filename, fold, category (ESC-50) or filename, onset, offset, label, "
    "a folder with such a CSV, a folder per class, a clip store, or audio with Audacity label tracks"
)
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
