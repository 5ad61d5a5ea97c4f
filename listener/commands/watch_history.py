"""What `listener watch` has seen so far: the last scores of each label, and events with their times."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from listener.commands.station_view import SourceView

KEPT_SCORES = 60  # of each label, one a poll
KEPT_EVENTS = 100


@dataclass(slots=True)
class SeenEvent:
    """An event between two polls or over many; times are unix seconds of the polls, not of the sound."""

    source: str
    label: str
    seen_at: float
    peak_score: float
    ended_at: float | None = None


def _scores() -> deque[float]:
    return deque(maxlen=KEPT_SCORES)


@dataclass(slots=True)
class WatchHistory:
    """Takes one poll after the other."""

    scores: dict[tuple[str, str], deque[float]] = field(
        default_factory=lambda: defaultdict(_scores)
    )
    events: deque[SeenEvent] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _open: dict[tuple[str, str], SeenEvent] = field(default_factory=dict)

    def add(self, views: Mapping[str, SourceView], now: float) -> None:
        """What the station says at `now`, unix seconds; newest events come first."""
        for source, view in views.items():
            for label, score in view.scores.items():
                self.scores[source, label].append(score)
            for label in view.events:
                self._note_event(source, label, view, now)

    def top_labels(self, source: str, count: int) -> list[str]:
        """The labels with the highest scores lately; those that are alike keep their places."""
        labels = [label for name, label in self.scores if name == source]
        return sorted(labels, key=lambda label: -round(max(self.scores[source, label]), 2))[:count]

    def _note_event(self, source: str, label: str, view: SourceView, now: float) -> None:
        key, score = (source, label), view.scores.get(label, 0.0)
        began = self._has_begun(key, view.events[label], label in view.active)
        if began and key in self._open:
            self._open.pop(key).ended_at = now
        if began:
            self._open[key] = SeenEvent(source, label, now, score)
            self.events.appendleft(self._open[key])
        if key in self._open:
            self._open[key].peak_score = max(self._open[key].peak_score, score)
            if label not in view.active:
                self._open.pop(key).ended_at = now

    def _has_begun(self, key: tuple[str, str], count: int, active: bool) -> bool:
        """Whether an event began since the poll before; one may also have ended since then."""
        before = self._counts.get(key, count)
        self._counts[key] = count
        return count > before or (active and key not in self._open)
