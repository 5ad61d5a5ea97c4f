"""Audacity's form: audio, and beside it a label track of the same name in a `.txt` file.

A line holds start, end (seconds) and a label, with tabs between them; the frequencies that Audacity
writes for a spectral selection stand in lines that begin with a backslash.
https://manual.audacityteam.org/man/importing_and_exporting_labels.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from listener.detection.clip import LabelSpan
from trainer.data.clips import ClipTable
from trainer.data.files import audio_files, number_rows, read_lines, set_name
from trainer.data.quarantine import quarantined
from trainer.data.spans import make_spanned_clip, read_span, spanned_table

_COLUMNS = ["onset", "offset", "label"]


def holds_label_tracks(folder: Path) -> bool:
    """Whether any audio file here has a label track beside it."""
    return any(_track_of(path).is_file() for path in audio_files(folder))


def read_label_tracks(folder: Path) -> ClipTable:
    """A clip for every file with a label track; an empty one says that none of the classes is heard.

    Audio without a label track is quarantined: nobody said what is in it.

    Raises:
        DataError: a label track that is not one.
    """
    files = audio_files(folder)
    labelled = [path for path in files if _track_of(path).is_file()]
    clips = [
        make_spanned_clip(path, set_name(folder), _read_track(_track_of(path))) for path in labelled
    ]
    left_out = [
        quarantined(path, f"expected a label track {_track_of(path).name} beside it, found none")
        for path in files
        if not _track_of(path).is_file()
    ]
    return spanned_table(clips, left_out)


def _track_of(audio: Path) -> Path:
    return audio.with_suffix(".txt")


def _read_track(path: Path) -> Sequence[LabelSpan]:
    cells = [[] if line.startswith("\\") else line.split("\t") for line in read_lines(path)]
    return [read_span(row, "label") for row in number_rows(path, _COLUMNS, cells, first=1)]
