"""Cross-validation folds by recording, which clips added later do not change."""

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
HELD_OUT_ONE_IN = 20  # recordings of a class
MIN_RECORDINGS = 10  # a class with fewer needs them all: none is held out


def fold_of(group: str, fold_count: int = FOLD_COUNT) -> int:
    """1 to `fold_count`, from a hash of the group alone."""
    digest = hashlib.sha256(group.encode()).digest()
    return int.from_bytes(digest[:8], "big") % fold_count + 1


def check_folds(table: ClipTable) -> None:
    """Refuse a table whose folds would test on training data.

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
    """Refuse files with the same content in two folds; `digests` maps paths to SHA-256.

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
    """The WRONG way: a fold for every patch without regard to recordings, (patches,) for each clip.

    Patches of one clip are in both the training and the test part, so the figure is too good. A report
    prints it beside the honest one to show by how much (1.9 points on ESC-10).
    """
    folds = np.arange(sum(patch_counts), dtype=np.int64) % fold_count + 1
    np.random.default_rng(seed).shuffle(folds)
    return tuple(np.split(folds, np.cumsum(patch_counts)[:-1]))


def hold_out_clips(table: ClipTable, folds: tuple[int, ...]) -> tuple[ClipTable, ClipTable]:
    """The clips of these folds to train on, and those held out to test this and later bundles.

    If there are other folds, their clips are held out. Otherwise one in HELD_OUT_ONE_IN recordings of
    each class is, chosen by a hash of its name, so that recordings added later change few of them.
    """
    chosen = table.in_folds(*folds)
    if len(chosen.clips) < len(table.clips):
        others = {clip.fold for clip in table.clips} - set(folds)
        return chosen, table.in_folds(*others)
    by_class: defaultdict[str, set[str]] = defaultdict(set)
    for clip in table.clips:
        for label in clip.labels:
            by_class[label].add(clip.group)
    groups = set[str]().union(*map(choose_held_out, by_class.values()))
    train = tuple(clip for clip in table.clips if clip.group not in groups)
    held_out = tuple(clip for clip in table.clips if clip.group in groups)
    return replace(table, clips=train), replace(table, clips=held_out)


def choose_held_out(groups: set[str]) -> set[str]:
    """The recordings of a class that are held out; none if it has too few."""
    if len(groups) < MIN_RECORDINGS:
        return set()
    by_hash = sorted(groups, key=lambda group: hashlib.sha256(group.encode()).hexdigest())
    return set(by_hash[: -(-len(groups) // HELD_OUT_ONE_IN)])  # rounded up
