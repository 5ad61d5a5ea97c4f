"""ESC-10's recordings as the starter's training takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from listener.detection.audio import Samples
from listener.soundscape import SAMPLE_RATE_HZ
from trainer.data.audio import read_audio
from trainer.data.clips import Clip
from trainer.data.files import read_text_table
from trainer.data.formats import read_esc50
from trainer.errors import DataError
from trainer.starter.labels import COLUMNS

TABLE_FILE, LICENCE_FILE = "esc10.csv", "LICENSE.md"


@dataclass(frozen=True, slots=True)
class Recording:
    """5 s of one of the ten classes: float32 (n,), mono, at SAMPLE_RATE_HZ.

    `name` is the file's stem, `1-100032-A-0`; `fold` is 1 to 5.
    """

    name: str
    label: str
    fold: int
    samples: Samples


def read_recordings(folder: Path) -> list[Recording]:
    """All recordings of `esc10.csv`, in its order.

    Raises:
        DataError: the table or a file is missing, or a category is not one of the ten.
    """
    table = read_esc50(read_text_table(folder / TABLE_FILE))
    return [_read_recording(clip) for clip in table.clips]


def _read_recording(clip: Clip) -> Recording:
    (label,) = clip.labels
    if label not in COLUMNS:
        raise DataError(f"{clip.path}: expected one of ESC-10's ten categories, got {label!r}")
    return Recording(clip.path.stem, label, clip.fold, read_audio(clip, SAMPLE_RATE_HZ))
