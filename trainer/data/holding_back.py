"""Recordings that are never learnt from, so that there is something to hold later bundles to."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import replace

from trainer.data.clips import ClipTable

ONE_IN = 20  # recordings of a class
FEWEST_RECORDINGS = 10  # of a class with fewer none is held back: it needs them all


def hold_back(table: ClipTable, folds: tuple[int, ...]) -> tuple[ClipTable, ClipTable]:
    """The clips of these folds to learn from, and those held back.

    Held back are the clips of the other folds, where there are any: they are not learnt from anyway.
    Else one in ONE_IN of the recordings of each class, chosen by a hash of their names, so that
    recordings which are added later move few.
    """
    chosen = table.in_folds(*folds)
    if len(chosen.clips) < len(table.clips):
        others = {clip.fold for clip in table.clips} - set(folds)
        return chosen, table.in_folds(*others)
    groups = _held_groups(table)
    learnt = tuple(clip for clip in table.clips if clip.group not in groups)
    held = tuple(clip for clip in table.clips if clip.group in groups)
    return replace(table, clips=learnt), replace(table, clips=held)


def choose_held(groups: set[str]) -> set[str]:
    """Those of a class's recordings that are held back; none where it needs them all."""
    if len(groups) < FEWEST_RECORDINGS:
        return set()
    return set(sorted(groups, key=_digest)[: -(-len(groups) // ONE_IN)])  # rounded up


def _held_groups(table: ClipTable) -> set[str]:
    by_class: defaultdict[str, set[str]] = defaultdict(set)
    for clip in table.clips:
        for label in clip.labels:
            by_class[label].add(clip.group)
    return set[str]().union(*map(choose_held, by_class.values()))


def _digest(group: str) -> str:
    return hashlib.sha256(group.encode()).hexdigest()
