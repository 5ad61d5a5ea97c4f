"""What somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def near_hint(word: str, words: Iterable[str]) -> str:
    """The end of an error about an unknown word: those of `words` that are near to it, or nothing."""
    spelled = {known.casefold(): known for known in words}
    near = get_close_matches(word.casefold(), spelled, n=3, cutoff=0.5)
    # names of AudioSet have commas in them
    return f"; near to it: {' / '.join(spelled[match] for match in near)}" if near else ""
