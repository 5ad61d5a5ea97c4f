"""Verdicts whose names the bundle has not and nobody gave: of them nothing can be learnt."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from listener.detection.clip import ClipRecord, LabelSpan
from trainer.data.clips import BACKGROUND, Clip

log = logging.getLogger(__name__)


def leave_out_unclear(
    records: Sequence[ClipRecord], clips: Mapping[str, Clip], is_known: Callable[[str], bool]
) -> list[ClipRecord]:
    """The records with a verdict that say something of `clips` (by id), without those that are unclear.

    Unclear is a name that the bundle does not know (`is_known`) where it is a group's of the station, of
    whose members the clip does not tell, or where it is a program's word alone: that of a group in a
    sidecar of an older version, or of another bundle. What people call a sound may be a new label.
    """
    said = [record for record in records if record.verdict and record.id in clips]
    groups = {group.label for record in records for group in record.groups}
    given = {span.label for record in said for span in _given(record)} - groups

    def unclear(record: ClipRecord) -> list[str]:
        clip = clips[record.id]
        names = (clip.labels | clip.negatives) - given - {BACKGROUND}
        return sorted(name for name in names if not is_known(name))

    _warn_of(Counter(name for record in said for name in unclear(record)))
    return [record for record in said if not unclear(record)]


def _given(record: ClipRecord) -> Sequence[LabelSpan]:
    return () if record.verdict is None else record.verdict.labels


def _warn_of(names: Counter[str]) -> None:
    for name, count in sorted(names.items()):
        log.warning(
            "%s: %d clips left out: the name of a group or of another bundle, which of its sounds "
            "it was is not known; say so with the labels that the clip holds",
            name,
            count,
        )
