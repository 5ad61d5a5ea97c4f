"""What the bundle is."""

from __future__ import annotations

from typing import Any

from listener.detection.bundle import Manifest

INTRODUCTION = (
    "introduction"  # in the provenance: what the bundle's maker wrote, kept word for word
)
LESSON = "lesson"  # in the provenance of what `trainer fit` made


def introduction(manifest: Manifest) -> str:
    """What the maker wrote, or whence the classes were learnt."""
    known = manifest.provenance
    if INTRODUCTION in known:
        return str(known[INTRODUCTION])
    heading = f"# {manifest.name}\n\n"
    if LESSON not in known:
        return heading
    return (
        f"{heading}{len(manifest.labels)} classes, learnt by `trainer fit` from {known['clips']} clips, "
        f"on the embeddings of `{known['backbone']}`."
    )


def with_introduction(provenance: dict[str, Any], card: str) -> dict[str, Any]:
    """The provenance with the card that the bundle came with, where the sections know less than it.

    A card may hold what its licences ask for, such as the names of authors: it is not lost.
    """
    made_of_sections = LESSON in provenance or INTRODUCTION in provenance
    return provenance if made_of_sections else provenance | {INTRODUCTION: card}
