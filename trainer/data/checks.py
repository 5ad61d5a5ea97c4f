"""What is refused before anything is learnt."""

from __future__ import annotations

import logging
from collections import defaultdict

from trainer.data.clips import Clip, ClipTable
from trainer.data.folds import check_folds
from trainer.errors import DataError

log = logging.getLogger(__name__)


def check_table(table: ClipTable, *, complete: bool = True) -> None:
    """Refuse what cannot be learnt from; `complete`: every class needs a clip.

    Raises:
        DataError: no clips, a label that is not a class, a class without clips, a recording in two folds.
    """
    if not table.clips:
        raise DataError(f"expected clips, found none; {len(table.quarantined)} were quarantined")
    for clip in table.clips:
        check_labels(clip, table.classes)
    if complete:
        _check_classes(table)
    check_folds(table)


def check_labels(clip: Clip, classes: tuple[str, ...]) -> None:
    """Refuse a label that no class has.

    Raises:
        DataError: it names the label and the clip.
    """
    labels = clip.labels | clip.negatives | {span.label for span in clip.spans}
    for label in sorted(labels.difference(classes)):
        raise DataError(f"{clip.path}: label {label!r}: expected one of {', '.join(classes)}")


def _check_classes(table: ClipTable) -> None:
    empty = set(table.classes).difference(*(clip.labels for clip in table.clips))
    if empty:
        raise DataError(
            f"class {', '.join(sorted(empty))}: expected at least one clip, found none"
            f"; {len(table.quarantined)} were quarantined"
        )


def warn_of_lone_recordings(table: ClipTable) -> None:
    """Say which classes have clips of one recording only: no fold can test what another trained."""
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
