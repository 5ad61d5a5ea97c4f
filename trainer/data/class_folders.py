"""A folder per class: its name is the class, all audio in it and below it is of that class."""

from __future__ import annotations

from pathlib import Path

from trainer.data.background import BACKGROUND, is_background
from trainer.data.clips import Clip, ClipTable
from trainer.data.files import audio_files, set_name
from trainer.data.folds import fold_of
from trainer.data.groups import group_of
from trainer.errors import DataError


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
