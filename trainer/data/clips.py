"""Clips, their labels and the tables that hold them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from listener.detection.clip import LabelSpan

BACKGROUND = "background"  # none of the other classes; the last class of a table that has it
NOT_GIVEN = -1  # the fold of a clip whose data set names none, until `read_clips` gives it one
_BACKGROUND_NAMES = frozenset({"background", "ambient", "noise"})


@dataclass(frozen=True, slots=True)
class Clip:
    """A part of an audio file and what is known to be in it.

    It begins at `onset` seconds of the file and lasts `seconds` (None: to the end). `labels` are heard in
    it; `spans` say when, in seconds of the clip, if that is known; `negatives` are not heard in it. Any
    other label is unknown, unless the clip is `exhaustive`: then it is not heard either, except those
    that are `unknown`. Clips of one `group` (recording) share a fold.
    """

    path: Path
    labels: frozenset[str]
    group: str
    fold: int
    onset: float = 0.0
    seconds: float | None = None
    spans: tuple[LabelSpan, ...] = ()
    negatives: frozenset[str] = frozenset()
    exhaustive: bool = False
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An input that was left out, and why, in one line."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class ClipTable:
    """All clips, the names of all classes in a fixed order, and what was left out."""

    clips: tuple[Clip, ...]
    classes: tuple[str, ...]
    quarantined: tuple[Quarantined, ...] = ()

    def in_folds(self, *folds: int) -> ClipTable:
        """The clips of these folds, with the same classes."""
        chosen = tuple(clip for clip in self.clips if clip.fold in folds)
        return ClipTable(chosen, self.classes, self.quarantined)


def is_background(name: str) -> bool:
    """Whether a folder or a label of this name means background: `background`, `_Ambient_`, `noise`."""
    return name.strip(" _-").lower() in _BACKGROUND_NAMES


def without_background(table: ClipTable) -> ClipTable:
    """The same clips with background as "none of the classes", for a model of independent labels."""
    background = {BACKGROUND}
    clips = tuple(
        replace(clip, labels=clip.labels - background, negatives=clip.negatives - background)
        for clip in table.clips
    )
    classes = tuple(name for name in table.classes if name != BACKGROUND)
    return replace(table, clips=clips, classes=classes)
