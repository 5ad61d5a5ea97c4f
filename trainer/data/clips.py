"""Clip and ClipTable: what there is to learn from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from listener.detection.clip import LabelSpan

BACKGROUND = "background"  # always the last class of a table that has it


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of an audio file and what is known to be in it.

    `onset` and `seconds` cut it out of the file (None: to its end). `labels` are heard in the clip,
    `spans` say when, in seconds of the clip, where somebody knows; `negatives` are labels that somebody
    said are not in it. Of every other label nothing is known but that nobody named it, unless the clip is
    `exhaustive`: then whoever labelled it named all there is, but for what is `unknown`. Clips of one
    `group` (recording) share a fold.
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
    """An input that was left out, and why: one line for people."""

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


# The background class: audio in which none of the other classes is heard.


_NAMES = frozenset({"background", "ambient", "noise"})


def is_background(name: str) -> bool:
    """Whether a folder or a label of this name means background: `background`, `_Ambient_`, `noise`."""
    return name.strip(" _-").lower() in _NAMES


def without_background(table: ClipTable) -> ClipTable:
    """The same clips with background as "none of the classes", for a model of independent labels."""
    clips = tuple(_unlabelled(clip) for clip in table.clips)
    classes = tuple(name for name in table.classes if name != BACKGROUND)
    return replace(table, clips=clips, classes=classes)


def _unlabelled(clip: Clip) -> Clip:
    return replace(clip, labels=clip.labels - {BACKGROUND}, negatives=clip.negatives - {BACKGROUND})
