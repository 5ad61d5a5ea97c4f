"""What cannot be trained on: tables are refused as a whole, single inputs are quarantined."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.folds import check_folds
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


def warn_of_lone_recordings(table: ClipTable) -> None:
    """Log the classes whose clips are all of one recording: no fold tests what another trained."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for clip in table.clips:
        for label in clip.labels:
            groups[label].append(clip.group)
    for label, names in groups.items():
        if len(set(names)) == 1:
            log.warning(
                "class %s: %s, so it cannot be tested: one recording is in one fold",
                label,
                f"all {len(names)} clips are of recording {names[0]}" if names[1:] else "one clip",
            )


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
