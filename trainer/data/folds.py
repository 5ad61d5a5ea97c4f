"""Cross-validation folds by recording: of each class about as many in every fold, decided by hashes."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.data.clips import NOT_GIVEN, Clip, ClipTable
from trainer.data.preparation import digest_file
from trainer.errors import DataError

FOLD_COUNT = 5  # as ESC-50 has
# The folds of a class with fewer recordings than folds. Where folds 1 to 3 are trained on, 4 is for the
# thresholds and 5 for the report (docs/training.md), three recordings are enough for each to have one.
_FIRST_FOLDS = (1, 4, 5, 2, 3)
HELD_OUT_ONE_IN = 20  # recordings of a class
MIN_RECORDINGS = 10  # a class with fewer needs them all: none is held out


def give_folds(table: ClipTable, known: Mapping[str, int]) -> ClipTable:
    """The table with a fold, 1 to FOLD_COUNT, for each clip that has none; `known` are those of recordings.

    The recordings of each class are spread so that its folds differ by one at most, as far as recordings
    of several classes, or with a known fold, allow. Of fewer recordings than folds no two share one.
    """
    folds = {**known, **known_folds(table)}
    by_class: defaultdict[str, set[str]] = defaultdict(set)
    for clip in table.clips:
        for label in clip.labels or {""}:
            by_class[label].add(clip.group)
    # classes with few recordings first: the others have more to choose from
    for _, groups in sorted(by_class.items(), key=lambda each: (len(each[1]), each[0])):
        folds |= _spread(groups, folds)
    clips = (
        replace(clip, fold=folds[clip.group]) if clip.fold == NOT_GIVEN else clip
        for clip in table.clips
    )
    return replace(table, clips=tuple(clips))


def join_copies(table: ClipTable) -> ClipTable:
    """The table with files of the same content, such as `a.wav` and `a (1).wav`, in one recording.

    Clips whose fold a table names are left as they are.
    """
    free = [clip for clip in table.clips if clip.fold == NOT_GIVEN]
    by_size: defaultdict[int, set[Path]] = defaultdict(set)
    for clip in free:
        by_size[clip.path.stat().st_size].add(clip.path)
    first: dict[str, str] = {}  # content -> recording
    joined: dict[str, str] = {}  # recording -> the one that it is the same as
    for clip in free:
        if len(by_size[clip.path.stat().st_size]) > 1:
            here = _follow(joined, clip.group)
            there = _follow(joined, first.setdefault(_content(clip.path), here))
            if here != there:
                joined[here] = there
    clips = (
        replace(clip, group=_follow(joined, clip.group)) if clip.fold == NOT_GIVEN else clip
        for clip in table.clips
    )
    return replace(table, clips=tuple(clips))


def _follow(joined: Mapping[str, str], group: str) -> str:
    while group in joined:
        group = joined[group]
    return group


def _content(path: Path) -> str:
    try:
        return digest_file(path)
    except DataError:
        return str(path)  # it is quarantined when it is to be embedded


def known_folds(table: ClipTable) -> dict[str, int]:
    """The fold of each recording that has one."""
    return {clip.group: clip.fold for clip in table.clips if clip.fold != NOT_GIVEN}


def _spread(groups: Collection[str], known: Mapping[str, int]) -> dict[str, int]:
    """A fold for each of the groups that has none.

    Each goes to the fold of its hash while that has less than an equal share, and the rest where fewest
    are (consistent hashing with bounded loads, V. Mirrokni et al., 2016), so that another recording
    moves few of them.
    """
    usable = _FIRST_FOLDS[: len(groups)]
    counts = Counter(known[group] for group in groups if group in known)
    share = len(groups) // len(usable)
    chosen: dict[str, int] = {}
    left: list[str] = []
    for group in sorted(set(groups).difference(known), key=_digest):
        own = fold_of(group)
        if own in usable and counts[own] < share:
            chosen[group] = own
            counts[own] += 1
        else:
            left.append(group)
    for group in left:
        own = fold_of(group)
        chosen[group] = min(usable, key=lambda fold: (counts[fold], fold != own))
        counts[chosen[group]] += 1
    return chosen


def fold_of(group: str, fold_count: int = FOLD_COUNT) -> int:
    """1 to `fold_count`, from a hash of the group alone."""
    return int.from_bytes(_digest(group)[:8], "big") % fold_count + 1


def _digest(group: str) -> bytes:
    return hashlib.sha256(group.encode()).digest()


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
    by_hash = sorted(groups, key=_digest)
    return set(by_hash[: -(-len(groups) // HELD_OUT_ONE_IN)])  # rounded up
