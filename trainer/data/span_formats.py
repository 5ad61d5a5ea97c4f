"""Data sets with onsets and offsets: tables of spans, and Audacity's label tracks.

A table has the columns filename, onset, offset and label, separated by commas or tabs. The event lists of
sed_eval and DESED are of this form: tabs, and the label's column is named `event_label`; sed_eval allows
the names of the columns to be left out (https://tut-arg.github.io/sed_eval/).
"""

import csv
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from listener.detection.clip import LabelSpan
from trainer.data import checks, files
from trainer.data.clips import BACKGROUND, NOT_GIVEN, Clip, ClipTable, Quarantined, is_background
from trainer.errors import DataError

COLUMNS = frozenset({"filename", "onset", "offset"})
LABEL_COLUMNS = ("event_label", "label")
_UNNAMED_COLUMNS = ["filename", "onset", "offset", "event_label"]
_TRACK_COLUMNS = ["onset", "offset", "label"]


def label_column(columns: frozenset[str]) -> str | None:
    """The column with the labels, if these are the columns of a table of spans."""
    found = [name for name in LABEL_COLUMNS if name in columns]
    return found[0] if found and columns >= COLUMNS else None


def read_unnamed_columns(path: Path) -> files.TextTable | None:
    """The table in a file without column names, if its first line is a file, two numbers and a label."""
    cells = list(csv.reader(files.read_lines(path), delimiter="\t"))
    if not cells or len(cells[0]) != len(_UNNAMED_COLUMNS):
        return None
    if not all(cell.strip().replace(".", "", 1).isdecimal() for cell in cells[0][1:3]):
        return None
    rows = files.number_rows(path, _UNNAMED_COLUMNS, cells, first=1)
    return files.TextTable(path, frozenset(_UNNAMED_COLUMNS), tuple(rows))


def read_span_table(table: files.TextTable, labels: str) -> ClipTable:
    """A clip for every file; a file whose row has nothing but its name has none of the sounds.

    Columns `fold` and `recording` are kept. `labels` is the name of the labels' column.

    Raises:
        DataError: a row that is not a file and a span, or a file in two folds.
    """
    spans: defaultdict[str, list[LabelSpan]] = defaultdict(list)
    folds: dict[str, int] = {}
    recordings: dict[str, str] = {}
    for row in table.rows:
        name = row.text("filename", "the name of a file")
        fold = row.whole_number("fold") if row["fold"] else NOT_GIVEN
        if folds.setdefault(name, fold) != fold:
            raise DataError(
                f"{row.where}: {name}: expected the fold of its first row, "
                f"got {row['fold'] or 'none'}"
            )
        recordings[name] = files.group_in(row, files.set_name(table.path))
        empty = not (row["onset"] or row["offset"] or row[labels])
        spans[name] += [] if empty else [_read_span(row, labels)]
    return _spanned_table(
        [
            _spanned_clip(files.find_audio(table.path, name), recordings[name], spans[name], fold)
            for name, fold in folds.items()
        ]
    )


def holds_label_tracks(folder: Path) -> bool:
    """Whether any audio file here has a label track, Audacity's `.txt` file, beside it."""
    return any(path.with_suffix(".txt").is_file() for path in files.audio_files(folder))


def read_label_tracks(folder: Path) -> ClipTable:
    """A clip for every file with a label track; an empty track means that none of the classes is heard.

    Audio without a label track, or with a wrong line in it, is quarantined: its content is unknown.
    """
    clips: list[Clip] = []
    left_out: list[Quarantined] = []
    for path in files.audio_files(folder):
        track = path.with_suffix(".txt")
        if not track.is_file():
            reason = f"expected a label track {track.name} beside it, found none"
            left_out.append(checks.quarantined(path, reason))
            continue
        clip = checks.or_quarantined(
            path, partial(_read_track, path, track, files.set_name(folder))
        )
        if isinstance(clip, Clip):
            clips.append(clip)
        else:
            left_out.append(clip)
    return _spanned_table(clips, left_out)


def _read_track(path: Path, track: Path, data: str) -> Clip:
    # a line of frequencies begins with a backslash
    lines = files.read_lines(track)
    cells = [[] if line.startswith("\\") else line.split("\t") for line in lines]
    rows = files.number_rows(track, _TRACK_COLUMNS, cells, first=1)
    group = files.group_of(Path(path.name), data)
    return _spanned_clip(path, group, [_read_span(row, "label") for row in rows])


def _read_span(row: files.Row, label_column: str) -> LabelSpan:
    label = row.text(label_column, "the name of a class")
    onset, offset = row.number("onset"), row.number("offset")
    try:
        return LabelSpan(label, onset, offset)
    except ValidationError as error:
        raise DataError(
            f"{row.where}: expected 0 <= onset < offset, got {onset:g} and {offset:g}"
        ) from error


def _spanned_clip(
    path: Path, group: str, spans: Sequence[LabelSpan], fold: int = NOT_GIVEN
) -> Clip:
    """A clip with these sounds and no others; without spans, or of background only, it is background."""
    heard = tuple(span for span in spans if not is_background(span.label))
    return Clip(
        path,
        frozenset(span.label for span in heard) or frozenset({BACKGROUND}),
        group,
        fold,
        spans=heard,
        exhaustive=True,
    )


def _spanned_table(clips: Sequence[Clip], left_out: Sequence[Quarantined] = ()) -> ClipTable:
    classes = sorted({label for clip in clips for label in clip.labels})
    return ClipTable(tuple(clips), tuple(classes), tuple(left_out))
