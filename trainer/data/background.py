"""The background class: audio in which none of the other classes is heard."""

from __future__ import annotations

from dataclasses import replace

from trainer.data.clips import Clip, ClipTable

BACKGROUND = "background"  # always the last class of a table that has it
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
