"""The files of a data set: audio, tables of text, and a licence."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import DataError

# What a folder is searched for; a file that a table names may have any suffix.
AUDIO_SUFFIXES = frozenset({
    ".aac", ".aif", ".aiff", ".au", ".caf", ".flac", ".gsm", ".m4a", ".mka", ".mkv", ".mov", ".mp3", ".mp4",
    ".oga", ".ogg", ".opus", ".w64", ".wav", ".webm", ".wma", ".wv",
})  # fmt: skip
NOT_STATED = "not stated"
_LICENCE_NAMES = ("licence", "license", "copying")
_MAX_LICENCE_CHARACTERS = 200  # of its first line
# The columns of a table that say which files are of one recording; ESC-50's holds Freesound's ids
ESC_RECORDING = "src_file"
RECORDING_COLUMNS = ("recording", "group")
# ESC-50's names: fold, Freesound id of the recording, take, target (K. J. Piczak, 2015)
_ESC = re.compile(r"\d+-(?P<recording>\d+)-[A-Z]-\d+")
# Speech Commands' names: a hash of the speaker, and a number (P. Warden, 2018)
_SPEAKER = re.compile(r"(?P<recording>[0-9a-f]+_nohash)_\d+")
_PART = re.compile(r"(?P<recording>.+?)[ _(-]+part[ _-]*\d+\)?", re.IGNORECASE)
# what counts takes, as cameras, phones, recorders and people number files
_NUMBER = re.compile(r"[ _-]*\(?\d+\)?$")


def audio_files(folder: Path, *, deep: bool = False) -> list[Path]:
    """The audio files in a folder, with `deep` in its subfolders too, sorted; no hidden ones."""
    found = folder.rglob("*") if deep else folder.iterdir()
    return sorted(
        path
        for path in found
        if path.suffix.lower() in AUDIO_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table by its columns' names, and where it stands: `labels.csv:7`."""

    where: str
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """The value without surrounding blanks; empty where the row is too short."""
        return (self.values.get(column) or "").strip()

    def text(self, column: str, meaning: str) -> str:
        """The value, which must not be empty.

        Raises:
            DataError: it is empty; `meaning` is what was expected.
        """
        if not self[column]:
            raise DataError(f"{self.where}: {column}: expected {meaning}, got nothing")
        return self[column]

    def whole_number(self, column: str) -> int:
        """The value as a whole number.

        Raises:
            DataError: it is none.
        """
        if not self[column].isdecimal():
            raise DataError(
                f"{self.where}: {column}: expected a whole number, got {self[column]!r}"
            )
        return int(self[column])

    def number(self, column: str) -> float:
        """The value as a number.

        Raises:
            DataError: it is none.
        """
        try:
            return float(self[column].replace(",", "."))  # some countries write a decimal comma
        except ValueError as error:
            raise DataError(
                f"{self.where}: {column}: expected a number, got {self[column]!r}"
            ) from error


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text, separated by commas, semicolons or tabs, with the names of its columns."""

    path: Path
    columns: frozenset[str]
    rows: tuple[Row, ...]


def read_text_table(path: Path) -> TextTable:
    """The table in a `.csv` or `.tsv` file.

    Raises:
        DataError: unreadable, or not text.
    """
    lines = read_lines(path)
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
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
    """The file that a table names: in `audio/` beside it, beside it, or in `../audio/` (as in ESC-50).

    If there is none, the first of these paths.
    """
    folders = (table.parent / "audio", table.parent, table.parent.parent / "audio")
    candidates = [folder / name for folder in folders]
    return next((path for path in candidates if path.is_file()), candidates[0])


def set_name(path: Path) -> str:
    """The name of a data set: that of the folder, or of the folder above `meta/`."""
    path = path.resolve()
    folder = path if path.is_dir() else path.parent
    return (folder.parent if folder.name == "meta" else folder).name


def group_of(name: Path, data: str) -> str:
    """The recording that a file is of, by its name in a data set, whose own name is `data`.

    - `1-172649-B-40` (ESC-50's form) is of recording 172649 in any data set.
    - `0a7c2a8d_nohash_1` (Speech Commands' form) is of speaker 0a7c2a8d.
    - `kitchen_part3`, `kitchen (part 3)` are of recording `kitchen`.
    - Any other file is a recording of its own. A number alone (`kitchen_003`, `dog (3)`) counts takes.

    The suffix does not matter: `bark.wav` and `bark.mp3` are of one recording.
    """
    if match := _ESC.fullmatch(name.stem):
        return f"esc/{match['recording']}"
    if match := _SPEAKER.fullmatch(name.stem):
        return f"{data}/{match['recording']}"
    if match := _PART.fullmatch(name.stem):
        name = name.with_name(match["recording"])
    else:
        name = name.with_suffix("")
    return f"{data}/{name.as_posix()}"


def group_in(row: Row, data: str) -> str:
    """The recording that the file of a row is of: what the row says, else see `group_of`."""
    if row[ESC_RECORDING]:
        return f"esc/{row[ESC_RECORDING]}"
    said = next((row[column] for column in RECORDING_COLUMNS if row[column]), "")
    return f"{data}/{said}" if said else group_of(Path(row["filename"]), data)


def without_number(path: Path) -> Path:
    """The path without suffix and without the number that its name ends in, if there is one."""
    return path.with_name(_NUMBER.sub("", path.stem) or path.stem)


def find_licence(data: Path) -> str:
    """The first line of the licence file beside the data that is no heading, and the file's name.

    For data in `meta/` the folder above is searched too. NOT_STATED if there is no such file; what is
    wrong with the file if it cannot be read.
    """
    folder = data if data.is_dir() else data.parent
    folders = (folder, folder.parent) if folder.name == "meta" else (folder,)
    for file in (file for each in folders for file in sorted(each.iterdir())):
        if file.is_file() and file.name.lower().startswith(_LICENCE_NAMES):
            return f"{_first_line(file)} ({file.name})"
    return NOT_STATED


def _first_line(file: Path) -> str:
    try:
        lines = [line.strip() for line in read_lines(file)]
    except DataError as error:
        return str(error)
    text = [line for line in lines if line and not line.startswith(("#", "="))]
    return text[0][:_MAX_LICENCE_CHARACTERS] if text else NOT_STATED
