"""Reads the data sets that `--data` names and merges them into one table.

A data set is one of:

- ESC-50's CSV, or the folder that holds it (also in `meta/`); `fold` may be left out, and a column
  `recording` says which files are of one recording
- a table of spans (CSV, or separated by tabs as sed_eval writes it), or the folder that holds it
- a folder of audio with Audacity label tracks
- a station's clip store
- a folder per class
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from listener.process import printable
from trainer.data import checks, clip_store, folds, span_formats
from trainer.data.clips import BACKGROUND, NOT_GIVEN, Clip, ClipTable, is_background
from trainer.data.files import (
    TextTable,
    audio_files,
    find_audio,
    group_in,
    group_of,
    read_text_table,
    set_name,
)
from trainer.errors import DataError
from trainer.labels import make_labels, spelling_of

_EXPECTED = (
    "expected a CSV with filename, category (ESC-50) or filename, onset, offset, label, "
    "a folder with such a CSV, a folder per class, a clip store, or audio with Audacity label tracks"
)
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
ESC50_COLUMNS = frozenset({"filename", "category"})
# of parts of a data set, with a folder per class in each
_PARTS = frozenset(
    {
        "train",
        "training",
        "val",
        "valid",
        "validation",
        "dev",
        "eval",
        "evaluation",
        "test",
        "testing",
    }
)
# of the one folder with all the audio of a data set
_ALL_AUDIO = frozenset(
    {"audio", "audios", "clips", "data", "files", "recordings", "sounds", "wav", "wavs"}
)

_Reader = Callable[[], ClipTable]
_Names = dict[str, str]  # spelling or slug -> the name in the table


def read_clips(paths: Sequence[Path], classes: Sequence[str] | None = None) -> ClipTable:
    """All clips of all paths; with `classes`, of these only and in this order.

    Two spellings of a class are one. A file that a table names but that does not exist is quarantined.
    Folds that a data set does not name are given, see `give_folds`: for each data set by itself, but a
    recording that is in two data sets has the fold that the one names, or else the first.

    Raises:
        DataError: a path of no known form, a malformed row, a class without clips, a label that is not
            in `classes`, a recording in two folds.
    """
    if not paths:
        raise DataError("expected at least one data set, got none")
    tables = [_read(path) for path in paths]
    known: dict[str, int] = {}
    for table in tables:
        known |= folds.known_folds(table)
    for number, table in enumerate(tables):
        tables[number] = folds.give_folds(table, known)
        known |= folds.known_folds(tables[number])
    table = merge_tables(tables, classes)
    checks.check_table(table, complete=classes is None)
    checks.warn_of_few_recordings(table)
    return table


def _read(path: Path) -> ClipTable:
    if not path.exists():
        raise DataError(f"{path}: expected a file or folder, found nothing")
    reader = _folder_reader(path) if path.is_dir() else _file_reader(path)
    if reader is None:
        raise DataError(f"{path}: {_EXPECTED}")
    table = reader()
    found = tuple(clip for clip in table.clips if clip.path.is_file())
    missing = dict.fromkeys(clip.path for clip in table.clips if not clip.path.is_file())
    left_out = tuple(checks.quarantined(path, "expected a file, found none") for path in missing)
    return folds.join_copies(ClipTable(found, table.classes, table.quarantined + left_out))


def _folder_reader(folder: Path) -> _Reader | None:
    if clip_store.holds_clip_store(folder):
        return partial(clip_store.read_clip_store, folder)
    # not .txt: that is a label track beside its audio
    candidates = sorted(
        path for meta in (folder, folder / "meta") for path in meta.glob("*.[ct]sv")
    )
    tables = [path for path in candidates if _file_reader(path)]
    if len(tables) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in tables)
        raise DataError(f"{folder}: expected one table of labels, found {names}: name the one")
    if tables:
        return _file_reader(tables[0])
    if candidates:  # it may say what is heard in each file: to ignore it would be a guess
        columns = ", ".join(sorted(read_text_table(candidates[0]).columns)) or "none"
        raise DataError(
            f"{candidates[0]}: expected columns filename, category or filename, onset, offset, label, "
            f"found {columns}; move the table away if it does not label the audio beside it"
        )
    if span_formats.holds_label_tracks(folder):
        return partial(span_formats.read_label_tracks, folder)
    if any(audio_files(each, deep=True) for each in _class_folders(folder)):
        return partial(read_class_folders, folder)
    return None


def _file_reader(path: Path) -> _Reader | None:
    if path.suffix.lower() not in TABLE_SUFFIXES:
        return None
    table = span_formats.read_unnamed_columns(path) or read_text_table(path)
    if table.columns >= ESC50_COLUMNS:
        return partial(read_esc50, table)
    labels = span_formats.label_column(table.columns)
    return None if labels is None else partial(span_formats.read_span_table, table, labels)


def read_class_folders(root: Path) -> ClipTable:
    """A clip for every file in or below a folder, whose name is the class; see `is_background`.

    Raises:
        DataError: a class folder without audio, or folders whose names are those of parts of a data set or
            of no class.
    """
    folders = _class_folders(root)
    names = [folder.name for folder in folders]
    plain = {name.casefold() for name in names}
    if plain and plain <= _PARTS:
        named = " ".join(f"--data {folder}" for folder in folders)
        raise DataError(
            f"{root}: expected a folder per class, found {', '.join(names)}, which are parts of a "
            f"data set: name each, {named}"
        )
    if len(plain) == 1 and plain <= _ALL_AUDIO:
        raise DataError(
            f"{root}: expected a folder per class, found {names[0]} alone, "
            "and no table that says what is heard in each file"
        )
    clips: list[Clip] = []
    classes: list[str] = []
    for folder in folders:
        name = printable(folder.name)
        label = BACKGROUND if is_background(name) else name
        files = audio_files(folder, deep=True)
        if not files:
            raise DataError(f"{folder}: expected audio of class {name!r}, found none")
        classes.append(label)
        for path in files:
            group = group_of(
                Path(printable(str(path.relative_to(root)))), printable(set_name(root))
            )
            clips.append(Clip(path, frozenset({label}), group, NOT_GIVEN, exhaustive=True))
    return ClipTable(tuple(clips), tuple(dict.fromkeys(classes)))


def _class_folders(root: Path) -> list[Path]:
    """The folders in a folder, or the folder itself if it is one of background."""
    if is_background(set_name(root)) and audio_files(root):
        return [root]
    return sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))
    )


def read_esc50(table: TextTable) -> ClipTable:
    """One clip for each file of ESC-50's CSV; classes in the order of `target`, if any.

    Rows of the same file and fold are labels of one clip. The column of folds may be missing.

    Raises:
        DataError: a row without a file name, a category or a whole number as its fold.
    """
    order = "target" if "target" in table.columns else "category"
    labels: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    recordings: dict[str, str] = {}
    targets: dict[str, tuple[int, str]] = {}
    for row in table.rows:
        name = row.text("filename", "the name of a file")
        category = row.text("category", "the name of a class")
        label = BACKGROUND if is_background(category) else category
        fold = row.whole_number("fold") if "fold" in table.columns else NOT_GIVEN
        labels[name, fold].add(label)
        recordings[name] = group_in(row, set_name(table.path))
        target = row[order]
        targets[label] = (int(target), "") if target.isdecimal() else (0, target)
    clips: list[Clip] = []
    for (name, fold), named in labels.items():
        path = find_audio(table.path, name)
        clips.append(Clip(path, frozenset(named), recordings[name], fold, exhaustive=True))
    return ClipTable(tuple(clips), tuple(sorted(targets, key=lambda each: (targets[each], each))))


def merge_tables(tables: Sequence[ClipTable], classes: Sequence[str] | None = None) -> ClipTable:
    """All clips with one spelling of each class; classes in order of appearance, background last.

    Two spellings (`Dog`, `dog`) are one class, named by the first. With `classes` those are the names, and
    clips may also say their slugs; background is then added only if some clip is background.

    Raises:
        DataError: a name without a slug, or a label that is not in `classes`.
    """
    found = [name for table in tables for name in table.classes]
    names: _Names = {}
    for name in found if classes is None else classes:
        names.setdefault(spelling_of(name), name)
    if BACKGROUND in found and (classes is None or BACKGROUND not in names):
        names.pop(BACKGROUND, None)
        names[BACKGROUND] = BACKGROUND
    known = tuple(names.values())
    try:
        labels = make_labels(known)
    except ValueError as error:
        raise DataError(str(error)) from error
    for label in labels:
        names.setdefault(label.slug, label.name)
    clips = tuple(_renamed(clip, names) for table in tables for clip in table.clips)
    left_out = tuple(each for table in tables for each in table.quarantined)
    return ClipTable(clips, known, left_out)


def _renamed(clip: Clip, names: _Names) -> Clip:
    return replace(
        clip,
        labels=frozenset(_name(clip, label, names) for label in clip.labels),
        negatives=frozenset(_name(clip, label, names) for label in clip.negatives),
        unknown=frozenset(names.get(spelling_of(label), label) for label in clip.unknown),
        spans=tuple(replace(span, label=_name(clip, span.label, names)) for span in clip.spans),
    )


def _name(clip: Clip, label: str, names: _Names) -> str:
    name = names.get(spelling_of(label))
    if name is None:
        known = ", ".join(dict.fromkeys(names.values()))
        raise DataError(f"{clip.path}: label {label!r}: expected one of {known}")
    return name
