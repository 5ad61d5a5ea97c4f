"""What is refused before anything is learnt."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from trainer.data.clips import BACKGROUND, Clip, ClipTable
from trainer.data.folds import check_folds
from trainer.errors import DataError
from trainer.labels import slug_of

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


# Several data sets as one.


_Names = dict[str, str]  # slug -> the name in the table


def merge_tables(tables: Sequence[ClipTable], classes: Sequence[str] | None = None) -> ClipTable:
    """All clips under the same names; classes in the order in which they come, background last.

    Two spellings with one slug (`Dog`, `dog`) are one class, named as it came first. With `classes` those
    are the names; background is then added only if some clip is background.

    Raises:
        DataError: a name without a slug, or a label that is not in `classes`.
    """
    found = [name for table in tables for name in table.classes]
    names = _name_by_slug(found if classes is None else classes)
    if BACKGROUND in found and (classes is None or BACKGROUND not in names):
        names.pop(BACKGROUND, None)
        names[BACKGROUND] = BACKGROUND
    clips = tuple(_renamed(clip, names) for table in tables for clip in table.clips)
    quarantined = tuple(left_out for table in tables for left_out in table.quarantined)
    return ClipTable(clips, tuple(names.values()), quarantined)


def _name_by_slug(classes: Iterable[str]) -> _Names:
    names: _Names = {}
    for name in classes:
        names.setdefault(_slug(name), name)
    return names


def _slug(name: str) -> str:
    try:
        return slug_of(name)
    except ValueError as error:
        raise DataError(str(error)) from error


def _renamed(clip: Clip, names: _Names) -> Clip:
    return replace(
        clip,
        labels=frozenset(_name(clip, label, names) for label in clip.labels),
        negatives=frozenset(_name(clip, label, names) for label in clip.negatives),
        unknown=frozenset(names.get(_slug(label), label) for label in clip.unknown),
        spans=tuple(replace(span, label=_name(clip, span.label, names)) for span in clip.spans),
    )


def _name(clip: Clip, label: str, names: _Names) -> str:
    name = names.get(_slug(label))
    if name is None:
        known = ", ".join(names.values())
        raise DataError(f"{clip.path}: label {label!r}: expected one of {known}")
    return name
