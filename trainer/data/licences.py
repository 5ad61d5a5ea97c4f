"""Under which licence a data set may be used, as far as it says so itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trainer.data.files import read_lines
from trainer.errors import DataError

NOT_STATED = "not stated"
_NAMES = ("licence", "license", "copying")
_MOST_CHARACTERS = 200  # of a licence file's first line; the rest is to be read there


def find_licence(data: Path) -> str:
    """The first line that says something in the licence file beside the data, and its name.

    It is looked for in the folder of the data and above `meta/`; without one: NOT_STATED.
    """
    folder = data if data.is_dir() else data.parent
    folders = (folder, folder.parent) if folder.name == "meta" else (folder,)
    files = (file for each in folders for file in _licence_files(each))
    return next((f"{_first_line(file)} ({file.name})" for file in files), NOT_STATED)


def _licence_files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.name.lower().startswith(_NAMES):
            yield file


def _first_line(file: Path) -> str:
    """The first line that is no heading, or what is wrong with the file."""
    try:
        lines = [line.strip() for line in read_lines(file)]
    except DataError as error:
        return str(error)
    told = [line for line in lines if line and not line.startswith(("#", "="))]
    return told[0][:_MOST_CHARACTERS] if told else NOT_STATED
