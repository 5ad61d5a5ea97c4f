"""What cannot be trained on: tables are refused as a whole, single inputs are quarantined."""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TypeVar

from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.folds import FOLD_COUNT, check_folds
from trainer.errors import DataError

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def check_table(table: ClipTable, *, complete: bool = True) -> None:
    """Refuse a table that cannot be trained on; `complete`: every class needs a clip.

    Raises:
        DataError: no clips, a label that is not a class, a class without clips, a recording in two folds.
    """
    if not table.clips:
        raise DataError(f"expected clips, found none; {len(table.quarantined)} were quarantined")
    for clip in table.clips:
        check_labels(clip, table.classes)
    empty = set(table.classes).difference(*(clip.labels for clip in table.clips))
    if complete and empty:
        raise DataError(
            f"class {', '.join(sorted(empty))}: expected at least one clip, found none"
            f"; {len(table.quarantined)} were quarantined"
        )
    check_folds(table)


def check_labels(clip: Clip, classes: tuple[str, ...]) -> None:
    """Refuse a label that no class has.

    Raises:
        DataError: it names the label and the clip.
    """
    labels = clip.labels | clip.negatives | {span.label for span in clip.spans}
    for label in sorted(labels.difference(classes)):
        raise DataError(f"{clip.path}: label {label!r}: expected one of {', '.join(classes)}")


def warn_of_few_recordings(table: ClipTable) -> None:
    """Log the classes that some fold has no clip of, and those whose clips are all of one recording."""
    clips: defaultdict[str, list[Clip]] = defaultdict(list)
    for clip in table.clips:
        for label in clip.labels:
            clips[label].append(clip)
    there = {clip.fold for clip in table.clips}
    for label, of_label in clips.items():
        groups = {clip.group for clip in of_label}
        lacking = sorted(there.difference(clip.fold for clip in of_label))
        if len(groups) == 1:
            log.warning(
                "class %s: %s, so it cannot be tested: one recording is in one fold",
                label,
                f"all {len(of_label)} clips are of recording {of_label[0].group}"
                if of_label[1:]
                else "one clip",
            )
        elif lacking:
            log.warning(
                "class %s: no clip in %s; it has %d recordings%s",
                label,
                in_words(lacking),
                len(groups),
                f", {FOLD_COUNT} are enough for every fold" if len(groups) < FOLD_COUNT else "",
            )


def in_words(folds: Collection[int]) -> str:
    """`fold 4`, `folds 4 and 5`, `folds 3, 4 and 5`."""
    *rest, last = map(str, folds)
    return f"folds {', '.join(rest)} and {last}" if rest else f"fold {last}"


def or_quarantined(path: Path, work: Callable[[], Result]) -> Result | Quarantined:
    """The result of `work`, or why the input at `path` cannot be used."""
    try:
        return work()
    except DataError as error:
        return quarantined(path, str(error).removeprefix(f"{path}: "))


def quarantined(path: Path, reason: str) -> Quarantined:
    """An input left out for this reason; it is logged."""
    log.warning("quarantined: %s: %s", path, reason)
    return Quarantined(path, reason)


def check_no_class_is_lost(
    before: Iterable[Clip], after: Iterable[Clip], left_out: Iterable[Quarantined]
) -> None:
    """Refuse to go on when quarantine has taken all clips of a class.

    Raises:
        DataError: it names the class, and the first reason of the quarantine.
    """
    labels = {label for clip in before for label in clip.labels}
    lost = sorted(labels.difference(*(clip.labels for clip in after)))
    if lost:
        first = next(iter(left_out))
        raise DataError(
            f"class {', '.join(lost)}: all clips are quarantined, "
            f"the first because of {first.path}: {first.reason}"
        )
