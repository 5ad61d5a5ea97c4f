"""A new bundle is on trial: does a label make far more events than under the one before?"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from listener.health import Health

_HOUR, _DAY = 3600.0, 86_400.0
_LOOKS_EVERY_SECONDS = 60.0
_LEAST_SECONDS = 60.0  # of a time before that a rate can be told from


@dataclass(frozen=True, slots=True)
class Jump:
    """A label with too many events in the last hour; `before` is what an hour had."""

    label: str
    events: int
    before: float

    def __str__(self) -> str:
        return f"{self.label}: {self.events} events in an hour, {self.before:.1f} before"


class Trial:
    """The first day of a bundle; times are monotonic seconds, totals the events begun by label.

    Judged are the labels that the bundle before had, too: `per_hour_before`. A label jumps when an hour
    has `least_events` and more than `factor` times those of an hour before.
    """

    def __init__(
        self,
        per_hour_before: Mapping[str, float],
        began_at: float,
        totals: Mapping[str, int],
        *,
        factor: float,
        least_events: int,
    ) -> None:
        self._before, self._began_at = per_hour_before, began_at
        self._factor, self._least_events = factor, least_events
        # totals of the last hour, one a minute; the first is what the hour began with
        self._hour: deque[tuple[float, Mapping[str, int]]] = deque([(began_at, totals)])

    def is_over(self, now: float) -> bool:
        """Whether the bundle has stood its day."""
        return now - self._began_at > _DAY

    def look(self, now: float, totals: Mapping[str, int]) -> Jump | None:
        """The label that jumps most, if one does."""
        while len(self._hour) > 1 and now - self._hour[1][0] >= _HOUR:
            self._hour.popleft()
        if now - self._hour[-1][0] >= _LOOKS_EVERY_SECONDS:
            self._hour.append((now, totals))
        _, earlier = self._hour[0]
        jumps = [
            Jump(label, totals.get(label, 0) - earlier.get(label, 0), before)
            for label, before in self._before.items()
        ]
        return max(filter(self._is_too_much, jumps), key=lambda jump: jump.events, default=None)

    def _is_too_much(self, jump: Jump) -> bool:
        return jump.events >= self._least_events and jump.events > jump.before * self._factor


def rates_per_hour(
    earlier: Mapping[str, int], totals: Mapping[str, int], seconds: float
) -> dict[str, float]:
    """Events of an hour, by label, from two totals that many seconds apart."""
    hours = max(seconds, _LEAST_SECONDS) / _HOUR
    return {label: (count - earlier.get(label, 0)) / hours for label, count in totals.items()}


def event_totals(health: Health) -> Counter[str]:
    """The events that began on all sources, by label."""
    totals: Counter[str] = Counter()
    for source in health.sources.copy().values():
        numbers = source.by_label
        totals.update(dict(zip(numbers.labels, numbers.events.tolist(), strict=True)))
    return totals
