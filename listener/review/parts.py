"""ReviewParts: what the page shows."""

from __future__ import annotations

from dataclasses import dataclass

from listener.clips.store import ClipStore
from listener.review.live import LiveView


@dataclass(frozen=True, slots=True)
class ReviewParts:
    """The station's name and what it hears; `clips` is None where none are kept.

    `new_labels`: verdicts may name labels that the bundle has not.
    """

    station: str
    live: LiveView
    clips: ClipStore | None
    new_labels: bool = False
