"""Whether a bundle knows the clips that are to judge it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from listener.detection.audio import Samples
from listener.detection.bundle import Bundle
from trainer.data.audio import read_audio
from trainer.data.clips import BACKGROUND, Clip, ClipTable, Quarantined, without_background
from trainer.data.preparation import digest_file
from trainer.data.quarantine import or_quarantined
from trainer.errors import DataError
from trainer.labels import find_label

log = logging.getLogger(__name__)

# In a bundle's provenance: the SHA-256 of each file that it learnt from, of each by which its policies
# were chosen, and of each clip of a station that nothing is to learn from, to judge by.
TRAINING_FILES = "training_files"
CALIBRATION_FILES = "calibration_files"
HELD_FILES = "held_files"


TRAINED: Sequence[str] = (TRAINING_FILES,)
TRAINED_OR_TUNED: Sequence[str] = (TRAINING_FILES, CALIBRATION_FILES)
_DONE = {TRAINING_FILES: "trained", CALIBRATION_FILES: "calibrated"}


def digest_files(paths: Collection[Path]) -> list[str]:
    """What goes into the provenance, sorted.

    Files, not cuts: another cut of the same recording is no more unseen than the one trained on.

    Raises:
        DataError: a file cannot be read.
    """
    return sorted({digest_file(path) for path in set(paths)})


def check_unseen(
    bundle: Bundle, paths: Collection[Path], keys: Sequence[str] = TRAINED_OR_TUNED
) -> None:
    """Refuse files that the bundle was trained on, validation of the training included, or tuned on.

    Raises:
        DataError: some are, or a file cannot be read.
    """
    for key in keys:
        seen = seen_paths(bundle, paths, [key])
        if seen:
            raise DataError(
                f"{bundle.id} was {_DONE[key]} on {len(seen)} of {len(set(paths))} files, "
                f"{min(seen)} the first: expected audio that it never saw"
            )


def seen_paths(bundle: Bundle, paths: Collection[Path], keys: Sequence[str]) -> set[Path]:
    """Those of the files that the bundle's provenance lists under one of the keys.

    Raises:
        DataError: a file cannot be read.
    """
    provenance = bundle.manifest.provenance
    known = {digest for key in keys for digest in provenance.get(key, ())}
    return {path for path in set(paths) if digest_file(path) in known} if known else set()


def unseen_folds(bundle: Bundle, table: ClipTable, keys: Sequence[str]) -> tuple[int, ...]:
    """The folds of which the bundle saw no file; all of them where it saw every one.

    Raises:
        DataError: a file cannot be read.
    """
    seen = seen_paths(bundle, paths_of(table), keys)
    folds = {clip.fold for clip in table.clips}
    unseen = folds - {clip.fold for clip in table.clips if clip.path in seen}
    return tuple(sorted(unseen or folds))


def paths_of(table: ClipTable) -> set[Path]:
    """The files of its clips."""
    return {clip.path for clip in table.clips}


# Which clips of data sets a command looks at: by folds, named or those that the bundle never saw.


def choose_clips(
    bundle: Bundle, table: ClipTable, folds: Sequence[int], keys: Sequence[str]
) -> ClipTable:
    """The clips of the folds; of none, those of every fold without a file listed under the keys.

    Raises:
        DataError: a fold without clips, or a file that cannot be read.
    """
    there = sorted({clip.fold for clip in table.clips})
    if missing := sorted(set(folds) - set(there)):
        raise DataError(f"folds: expected some of {there}, got {missing}")
    chosen = folds or unseen_folds(bundle, table, keys)
    if len(set(chosen)) < len(there):
        log.info("using folds %s of %s", sorted(set(chosen)), there)
    return table.in_folds(*chosen)


def match_classes(table: ClipTable, bundle: Bundle) -> ClipTable:
    """The table with the bundle's labels (slugs) as classes, in the order of its scores.

    A class is found by the label's slug or name. Background clips hold none of the labels, unless the
    bundle has a label for background.

    Raises:
        DataError: a class that the bundle does not know.
    """
    if BACKGROUND in table.classes and BACKGROUND not in bundle.labels:
        table = without_background(table)
    slugs: dict[str, str] = {}
    for name in table.classes:
        slug = find_label(bundle.manifest.labels, name)
        if slug is None:
            known = ", ".join(bundle.labels[:10]) + (", ..." if len(bundle.labels) > 10 else "")  # noqa: PLR2004
            raise DataError(f"class {name!r}: expected a label of {bundle.id} ({known})")
        slugs[name] = slug
    clips = tuple(
        replace(
            clip,
            labels=frozenset(slugs[name] for name in clip.labels),
            negatives=frozenset(slugs[name] for name in clip.negatives),
            spans=tuple(replace(span, label=slugs[span.label]) for span in clip.spans),
        )
        for clip in table.clips
    )
    classes = tuple(label for label in bundle.labels if label in slugs.values())
    return replace(table, clips=clips, classes=classes)


# The audio of clips, one after the other, so that only one is in memory.


Progress = Callable[[int, int], None]  # clips done, clips in all


def read_one_by_one(
    table: ClipTable, sample_rate_hz: int, progress: Progress | None
) -> Iterator[tuple[Clip, Samples | Quarantined]]:
    """Each clip with its samples, float32 (n,), or with why it cannot be read."""
    for number, clip in enumerate(table.clips, start=1):
        yield clip, or_quarantined(clip.path, partial(read_audio, clip, sample_rate_hz))
        if progress is not None:
            progress(number, len(table.clips))
