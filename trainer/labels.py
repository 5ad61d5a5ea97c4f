"""The labels of a bundle, made of the names of classes."""

import re
import unicodedata
from collections.abc import Iterable

from listener.detection.bundle import Label

SLUG_LENGTH = 64
_OTHER = re.compile(r"[^a-z0-9]+")


def make_labels(names: Iterable[str]) -> tuple[Label, ...]:
    """A label for each name, in order; a slug that is taken gets _2, _3 and so on."""
    taken: set[str] = set()
    return tuple(Label(_unique(slug_of(name), taken), name) for name in names)


def slug_of(name: str) -> str:
    """1 to 64 of [a-z0-9_]: `Chicken, rooster` -> `chicken_rooster`, accents dropped.

    Raises:
        ValueError: the name has no Latin letter and no digit.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = _OTHER.sub("_", plain.replace("'", "").lower())[:SLUG_LENGTH].strip("_")
    if not slug:
        raise ValueError(f"label name: expected at least one of a-z or 0-9, got {name!r}")
    return slug


def find_label(labels: Iterable[Label], name: str) -> str | None:
    """The slug of the label that has this name or slug; None if there is none.

    Raises:
        ValueError: see `slug_of`.
    """
    found = (
        each for each in labels if name in {each.slug, each.name} or slug_of(name) == each.slug
    )
    return next((label.slug for label in found), None)


def _unique(slug: str, taken: set[str]) -> str:
    candidate, number = slug, 1
    while candidate in taken:
        number += 1
        ending = f"_{number}"
        candidate = slug[: SLUG_LENGTH - len(ending)] + ending
    taken.add(candidate)
    return candidate
