"""Cross-validation folds: by recording, and never moved by what is added later."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.data.clips import Clip, ClipTable
from trainer.errors import DataError

FOLD_COUNT = 5  # as ESC-50 has
ONE_IN = 20  # recordings of a class
FEWEST_RECORDINGS = 10  # of a class with fewer none is held back: it needs them all


def fold_of(group: str, fold_count: int = FOLD_COUNT) -> int:
    """1 to `fold_count`, from a hash of the group alone: other clips have no say in it."""
    digest = hashlib.sha256(group.encode()).digest()
    return int.from_bytes(digest[:8], "big") % fold_count + 1


def check_folds(table: ClipTable) -> None:
    """Refuse a table in which the test would hear what was trained on.

    Raises:
        DataError: a recording, or a file, is in two folds.
    """
    for kind, names in (
        ("recording", [clip.group for clip in table.clips]),
        ("clip", [str(clip.path.resolve()) for clip in table.clips]),
    ):
        folds: defaultdict[str, set[int]] = defaultdict(set)
        for name, clip in zip(names, table.clips, strict=True):
            folds[name].add(clip.fold)
            if len(folds[name]) > 1:
                raise DataError(
                    f"{clip.path}: expected {kind} {name} in one fold, "
                    f"found it in folds {sorted(folds[name])}"
                )


def check_copies(table: ClipTable, digests: Mapping[Path, str]) -> None:
    """Refuse files with the same bytes in two folds; `digests` are of the files by their paths.

    Raises:
        DataError: it names the two files.
    """
    first: dict[str, Clip] = {}
    for clip in table.clips:
        if clip.path not in digests:
            continue
        other = first.setdefault(digests[clip.path], clip)
        if other.fold != clip.fold:
            raise DataError(
                f"{clip.path}: expected a clip in one fold, found its copy {other.path} "
                f"in fold {other.fold} and this one in fold {clip.fold}"
            )


def shuffled_patch_folds(
    patch_counts: Sequence[int], seed: int, fold_count: int = FOLD_COUNT
) -> tuple[NDArray[np.int64], ...]:
    """A fold for every patch without regard to recordings, (patches,) a clip: the WRONG way.

    Patches of one clip are in the training and the test part, so that the figure is too good. A report
    prints it beside the honest one to show by how much (1.9 points on ESC-10).
    """
    folds = np.arange(sum(patch_counts), dtype=np.int64) % fold_count + 1
    np.random.default_rng(seed).shuffle(folds)
    return tuple(np.split(folds, np.cumsum(patch_counts)[:-1]))


# Recordings that are never learnt from, so that there is something to hold later bundles to.


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
