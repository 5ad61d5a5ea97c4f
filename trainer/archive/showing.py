"""Tables on stderr of what was asked of a clip store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from listener.detection.bundle import Bundle
from trainer.archive.replay import Change, Comparison
from trainer.archive.similar import Neighbour
from trainer.report.terminal import show_table

_CHANGES: tuple[Change, ...] = ("same", "gone", "new")


def show_comparison(found: Comparison, before: Bundle, after: Bundle) -> None:
    """A row for each label that either bundle heard; then what changed, to be listened to."""
    labels = sorted({each.label for each in found.events})
    heads = ("label", "same", f"gone with {after.id}", "new")
    rows = [(label, *(str(found.count(label, change)) for change in _CHANGES)) for label in labels]
    show_table(heads, rows)
    changed = [each for each in found.events if each.change != "same"]
    show_table(
        (f"{before.id} -> {after.id}", "label", "source", "when", "listen", "seconds in it"),
        (
            (
                each.change,
                each.label,
                each.source,
                _time(each.at),
                each.clip,
                f"{each.onset:.1f} to {each.offset:.1f}",
            )
            for each in changed
        ),
    )


def show_neighbours(found: Sequence[Neighbour]) -> None:
    """Nearest first."""
    show_table(
        ("clip", "cosine", "label", "verdict", "source", "when"),
        (
            (
                each.clip,
                f"{each.cosine:.3f}",
                each.label or "",
                each.verdict or "",
                each.source,
                _time(each.captured_at),
            )
            for each in found
        ),
    )


def _time(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(" ", "seconds")
