"""The classes of a table as the labels of a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from listener.detection.bundle import Bundle
from trainer.data.clips import BACKGROUND, Clip, ClipTable, without_background
from trainer.errors import DataError
from trainer.labels import slug_of


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
    classes = tuple(label for label in bundle.labels if label in slugs.values())
    return replace(
        table, clips=tuple(_rename(clip, slugs) for clip in table.clips), classes=classes
    )


def _find_slug(name: str, bundle: Bundle) -> str:
    for label in bundle.manifest.labels:
        if name in {label.slug, label.name} or slug_of(name) == label.slug:
            return label.slug
    known = ", ".join(bundle.labels[:10]) + (", ..." if len(bundle.labels) > 10 else "")  # noqa: PLR2004
    raise DataError(f"class {name!r}: expected a label of {bundle.id} ({known})")


def _rename(clip: Clip, slugs: Mapping[str, str]) -> Clip:
    return replace(
        clip,
        labels=frozenset(slugs[name] for name in clip.labels),
        negatives=frozenset(slugs[name] for name in clip.negatives),
        spans=tuple(replace(span, label=slugs[span.label]) for span in clip.spans),
    )
