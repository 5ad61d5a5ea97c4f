"""Which clips judge a bundle: not those that it knows, by the folds and labels that are asked for."""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from listener.detection.audio import Samples
from listener.detection.bundle import Bundle
from trainer.data import audio, checks, preparation
from trainer.data.clips import BACKGROUND, Clip, ClipTable, Quarantined, without_background
from trainer.data.folds import FOLD_COUNT
from trainer.errors import DataError
from trainer.labels import find_label
from trainer.provenance import FileList, provenance_of
from trainer.terminal import Progress

log = logging.getLogger(__name__)

TRAINED: Sequence[FileList] = ("training_files",)
TRAINED_OR_TUNED: Sequence[FileList] = ("training_files", "calibration_files")
_DONE = {"training_files": "trained", "calibration_files": "calibrated"}
_MOST_NAMED = 10  # labels in an error message


def digest_files(paths: Collection[Path]) -> list[str]:
    """The SHA-256 of each file, sorted, for the provenance.

    Of files, not of parts: another part of a recording that was trained on is no more unseen.

    Raises:
        DataError: a file cannot be read.
    """
    return sorted({preparation.digest_file(path) for path in set(paths)})


def paths_of(table: ClipTable) -> set[Path]:
    """The files of its clips."""
    return {clip.path for clip in table.clips}


def seen_paths(bundle: Bundle, paths: Collection[Path], keys: Sequence[FileList]) -> set[Path]:
    """Those of the files that the bundle's provenance lists under one of the keys.

    Raises:
        DataError: a file cannot be read.
    """
    provenance = provenance_of(bundle.manifest)
    known = {digest for key in keys for digest in provenance.get(key, ())}
    return (
        {path for path in set(paths) if preparation.digest_file(path) in known} if known else set()
    )


def check_unseen(
    bundle: Bundle, paths: Collection[Path], keys: Sequence[FileList] = TRAINED_OR_TUNED
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


def unseen_folds(bundle: Bundle, table: ClipTable, keys: Sequence[FileList]) -> tuple[int, ...]:
    """The folds of which the bundle saw no file; all of them where it saw every one.

    Raises:
        DataError: a file cannot be read.
    """
    seen = seen_paths(bundle, paths_of(table), keys)
    folds = {clip.fold for clip in table.clips}
    unseen = folds - {clip.fold for clip in table.clips if clip.path in seen}
    return tuple(sorted(unseen or folds))


def choose_clips(
    bundle: Bundle, table: ClipTable, folds: Sequence[int], keys: Sequence[FileList]
) -> ClipTable:
    """The clips of the folds; without folds, those of every fold that the bundle has not seen.

    Raises:
        DataError: a fold without clips, or a file that cannot be read.
    """
    there = sorted({clip.fold for clip in table.clips})
    if missing := sorted(set(folds) - set(there)):
        raise DataError(
            f"folds: expected some of {there}, got {missing}; a class of fewer than {FOLD_COUNT} "
            "recordings is not in every fold"
        )
    chosen = folds or unseen_folds(bundle, table, keys)
    if len(set(chosen)) < len(there):
        log.info("using folds %s of %s", sorted(set(chosen)), there)
    return table.in_folds(*chosen)


def match_classes(table: ClipTable, bundle: Bundle) -> ClipTable:
    """The table with the slugs of the bundle's labels as classes, in the order of its scores.

    A class is found by its slug or by the label's name for people. Background is none of the labels,
    unless the bundle has a label for it.

    Raises:
        DataError: a class that the bundle does not know.
    """
    if BACKGROUND in table.classes and BACKGROUND not in bundle.labels:
        table = without_background(table)
    slugs = {name: _find_slug(name, bundle) for name in table.classes}
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


def _find_slug(name: str, bundle: Bundle) -> str:
    slug = find_label(bundle.manifest.labels, name)
    if slug is not None:
        return slug
    more = ", ..." if len(bundle.labels) > _MOST_NAMED else ""
    known = ", ".join(bundle.labels[:_MOST_NAMED]) + more
    raise DataError(f"class {name!r}: expected a label of {bundle.id} ({known})")


def read_one_by_one(
    table: ClipTable, sample_rate_hz: int, progress: Progress | None
) -> Iterator[tuple[Clip, Samples | Quarantined]]:
    """Each clip with its samples, float32 (n,), or with why it cannot be read; one is in memory."""
    for number, clip in enumerate(table.clips, start=1):
        yield (
            clip,
            checks.or_quarantined(clip.path, partial(audio.read_audio, clip, sample_rate_hz)),
        )
        if progress is not None:
            progress(number, len(table.clips))
