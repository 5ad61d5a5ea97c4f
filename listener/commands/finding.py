"""What `listener check` found of one part."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of trying one part."""

    part: str
    works: bool
    detail: str
