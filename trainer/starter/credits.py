"""Who recorded ESC-10: its LICENSE.md names author and licence of every clip."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import DataError
from trainer.starter.recordings import LICENCE_FILE

# CC-Sampling+ (2 of the 400) forbids some uses of what is made from it: such clips are not used
USED_LICENCES = frozenset({"CC0", "CC-BY"})
_CLIP = re.compile(
    r"\*\*\[(?P<clip>[\w-]+)\.ogg\].*by \*(?P<author>.+?)\* \(\[(?P<licence>[^\]]+)\]"
)


@dataclass(frozen=True, slots=True)
class Credit:
    """Author and licence of one clip; `clip` is its name of ESC-10, `1-100032-A`."""

    clip: str
    author: str
    licence: str


def read_credits(folder: Path) -> list[Credit]:
    """The credits of all clips, in the order of LICENSE.md.

    Raises:
        DataError: the file is missing or names nobody.
    """
    path = folder / LICENCE_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: expected ESC-10's licence file: {error.strerror}") from error
    authors = [Credit(**match.groupdict()) for match in _CLIP.finditer(text)]
    if not authors:
        raise DataError(f"{path}: expected the author of every clip, found none")
    return authors


def is_used(stem: str, authors: Sequence[Credit]) -> bool:
    """Whether the licence of a file, `1-100032-A-0` by its stem, lets us learn from it."""
    clip = stem.rpartition("-")[0]  # the last number is ESC-50's target
    return any(credit.clip == clip and credit.licence in USED_LICENCES for credit in authors)


def credit_lines(authors: Sequence[Credit]) -> str:
    """Markdown: a line for each author with licence and clips, of the clips that are used."""
    clips: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for credit in authors:
        if credit.licence in USED_LICENCES:
            clips[credit.author, credit.licence].append(credit.clip)
    return "".join(
        f"- {author} ({licence}): {', '.join(names)}\n"
        for (author, licence), names in sorted(clips.items(), key=lambda item: item[0][0].lower())
    )
