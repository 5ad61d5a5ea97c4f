"""Audio files and tables of text on disk."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import DataError

NOT_STATED = "not stated"
_NAMES = ("licence", "license", "copying")
_MOST_CHARACTERS = 200  # of a licence file's first line; the rest is to be read there


# What a folder is searched for; a file that a table names may have any suffix.
AUDIO_SUFFIXES = frozenset(
    {
        ".aac",
        ".aif",
        ".aiff",
        ".au",
        ".caf",
        ".flac",
        ".m4a",
        ".mka",
        ".mkv",
        ".mov",
        ".mp3",
        ".mp4",
    }
    | {".oga", ".ogg", ".opus", ".w64", ".wav", ".webm", ".wma", ".wv"}
)


def audio_files(folder: Path, *, deep: bool = False) -> list[Path]:
    """The audio files in a folder, `deep` those of its folders too, sorted; hidden ones left out."""
    found = folder.rglob("*") if deep else folder.iterdir()
    return sorted(path for path in found if _is_audio(path, folder))


def _is_audio(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table by its columns' names, and where it stands: `labels.csv:7`."""

    where: str
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """The value, without blanks around it; empty where the row is too short."""
        return (self.values.get(column) or "").strip()

    def number(self, column: str) -> float:
        """The value as a number.

        Raises:
            DataError: it is none.
        """
        try:
            return float(
                self[column].replace(",", ".")
            )  # a decimal comma, as some countries write it
        except ValueError as error:
            raise DataError(
                f"{self.where}: {column}: expected a number, got {self[column]!r}"
            ) from error


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text: comma or tab separated, its first row the columns' names."""

    path: Path
    columns: frozenset[str]
    rows: tuple[Row, ...]


def read_text_table(path: Path) -> TextTable:
    """The table in a `.csv` or `.tsv` file.

    Raises:
        DataError: unreadable, or not text.
    """
    lines = read_lines(path)
    delimiter = "\t" if lines and "\t" in lines[0] else ","
    cells = list(csv.reader(lines, delimiter=delimiter))
    names = [name.strip().lower() for name in cells[0]] if cells else []
    return TextTable(path, frozenset(names), tuple(number_rows(path, names, cells[1:], first=2)))


def number_rows(
    path: Path, names: list[str], cells: Iterable[list[str]], *, first: int
) -> Iterator[Row]:
    """The rows that are not blank, with the number of their line."""
    for number, values in enumerate(cells, start=first):
        if any(values):
            yield Row(f"{path}:{number}", dict(zip(names, values, strict=False)))


def read_lines(path: Path) -> list[str]:
    """The lines of a text file in UTF-8, with or without a byte-order mark.

    Raises:
        DataError: unreadable, or not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8, got other bytes") from error


def find_audio(table: Path, name: str) -> Path:
    """The file that a table names: beside it, in `audio/` beside it, or in `../audio/` (as in ESC-50).

    Where there is none, the path at which it was expected first.
    """
    folders = (table.parent / "audio", table.parent, table.parent.parent / "audio")
    candidates = [folder / name for folder in folders]
    return next((path for path in candidates if path.is_file()), candidates[0])


def set_name(path: Path) -> str:
    """The name of the data set that a folder or a table is of: its folder's, that above `meta/`."""
    path = path.resolve()
    folder = path if path.is_dir() else path.parent
    return (folder.parent if folder.name == "meta" else folder).name


# Which clips are cut from one recording, by their file names.


# ESC-50's names: fold, Freesound id of the recording, take, target (K. J. Piczak, 2015)
_ESC = re.compile(r"\d+-(?P<recording>\d+)-[A-Z]-\d+")
_NUMBERED = re.compile(r"(?P<recording>.*[^\W\d_].*?)[ _-]*\(?\d+\)?")
_OTHER = re.compile(r"[\W_]+")


def group_of(audio: Path, data: str, label: str = "") -> str:
    """The recording that a file is cut from; `data` is the name of its data set, so that sets keep apart.

    - `1-172649-B-40` (ESC-50's form) is of recording 172649, whatever the set.
    - `kitchen_003`, `kitchen-3`, `kitchen 3`, `kitchen (3)` are of recording `kitchen`: the number counts
      its cuts. If what is left is the name of the class (`dog/dog_003`), the number counts recordings.
    - Any other file, and one whose name is a number, is a recording of its own in its folder.
    """
    if match := _ESC.fullmatch(audio.stem):
        return f"esc/{match['recording']}"
    match = _NUMBERED.fullmatch(audio.stem)
    if match and _plain(match["recording"]) != _plain(label):
        return f"{data}/{match['recording']}"
    return f"{data}/{audio.parent.name}/{audio.stem}"


def _plain(name: str) -> str:
    return _OTHER.sub("", name).lower()


# Under which licence a data set may be used, as far as it says so itself.


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
