"""Several data sets as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from trainer.data.background import BACKGROUND
from trainer.data.clips import Clip, ClipTable
from trainer.errors import DataError
from trainer.labels import slug_of

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
