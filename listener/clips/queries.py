"""What can be asked of the store, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from listener.detection.clip import ClipRecord, Reason

VerdictState = Literal["right", "wrong", "labels", "any", "none"]


@dataclass(frozen=True, slots=True)
class ClipFilter:
    """Which clips are wanted; what is None does not matter.

    `label` is what a clip stands for (`ClipRecord.label`). `verdict` is the latest one; "any" and "none":
    whether there is one. `since` and `until` bound `captured_at`, unix seconds.
    """

    source: str | None = None
    label: str | None = None
    reason: Reason | None = None
    verdict: VerdictState | None = None
    since: float | None = None
    until: float | None = None

    def conditions(self) -> dict[str, float | str]:
        """As conditions of SQL on the index's columns, with the value of each."""
        asked = {
            "source = ?": self.source,
            "label = ?": self.label,
            "reason = ?": self.reason,
            "captured_at >= ?": self.since,
            "captured_at < ?": self.until,
        }
        if self.verdict == "any":
            asked["verdict > ?"] = ""
        elif self.verdict == "none":
            asked["coalesce(verdict, '') = ?"] = ""
        else:
            asked["verdict = ?"] = self.verdict
        return {condition: value for condition, value in asked.items() if value is not None}


@dataclass(frozen=True, slots=True)
class SimilarClip:
    """A clip and the cosine similarity of its mean embedding, [-1, 1]."""

    record: ClipRecord
    similarity: float


@dataclass(frozen=True, slots=True)
class Totals:
    """How much there is; `judged` clips have a verdict."""

    clips: int = 0
    judged: int = 0
    bytes: int = 0
