"""The labels of a bundle, made of the names of classes."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from anyascii import anyascii

from listener.detection.bundle import Label

SLUG_LENGTH = 64
_OTHER = re.compile(r"[^a-z0-9]+")
_APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"
_BETWEEN_WORDS = re.compile(r"[\s_,.:;/()&!?-]+")


def make_labels(names: Iterable[str]) -> tuple[Label, ...]:
    """A label for each name, in order; a slug that is taken gets _2, _3 and so on."""
    taken: set[str] = set()
    return tuple(Label(unique_slug(slug_of(name), taken), name) for name in names)


def slug_of(name: str) -> str:
    """1 to 64 of [a-z0-9_]: `Chicken, rooster` -> `chicken_rooster`, `собака` -> `sobaka`.

    Raises:
        ValueError: nothing of the name can be written with letters and digits.
    """
    plain = anyascii(unicodedata.normalize("NFKC", name)).lower()
    slug = _OTHER.sub("_", plain.replace("'", ""))[:SLUG_LENGTH].strip("_")
    if not slug:
        raise ValueError(f"label name: expected at least one letter or digit, got {name!r}")
    return slug


def unique_slug(slug: str, taken: set[str]) -> str:
    """The slug, or with _2, _3 and so on one that is not among the `taken`, to which it is added."""
    candidate, number = slug, 1
    while candidate in taken:
        number += 1
        ending = f"_{number}"
        candidate = slug[: SLUG_LENGTH - len(ending)] + ending
    taken.add(candidate)
    return candidate


def spelling_of(name: str) -> str:
    """What is the same for two spellings of one name: `Chicken, rooster` and `chicken_rooster`.

    Case, accents of Latin letters and what stands between words do not matter. Other scripts and signs do,
    though a slug may not tell them apart: `C+` and `C#`, or two words that sound alike, are two names.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    plain = (
        anyascii(sign) if unicodedata.name(sign, "").startswith("LATIN") else sign
        for sign in folded
        if sign not in _APOSTROPHES
    )
    return _BETWEEN_WORDS.sub("_", "".join(plain)).strip("_")


def find_label(labels: Sequence[Label], name: str) -> str | None:
    """The slug of the label with this slug, this name, or another spelling of either; None without one."""
    spelling = spelling_of(name)
    return next(
        (label.slug for label in labels if name in {label.slug, label.name}),
        next(
            (label.slug for label in labels if spelling in {label.slug, spelling_of(label.name)}),
            None,
        ),
    )
