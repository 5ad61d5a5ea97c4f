"""Hours in which labels are muted, day after day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from listener.config.outlets import WEEKDAYS, QuietSettings

_DAYS = len(WEEKDAYS)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begin` to `end` on the clock of the wall; an `end` before it is of the next day.

    `days` are those on which it begins, 0 is Monday; `zone` None is the computer's. `sources` None
    is every one. `labels` are those that are muted, or where `but` is set those that are not.
    """

    begin: time
    end: time
    days: frozenset[int]
    zone: ZoneInfo | None
    sources: frozenset[str] | None
    labels: frozenset[str]
    but: bool

    def covers(self, now: float) -> bool:
        """Whether it is quiet at that time, unix seconds."""
        wall = datetime.fromtimestamp(now, self.zone)
        at, day = wall.time(), wall.weekday()
        if self.begin < self.end:
            return self.begin <= at < self.end and day in self.days
        since_yesterday = at < self.end and (day - 1) % _DAYS in self.days
        return since_yesterday or (at >= self.begin and day in self.days)

    def mutes(self, source: str, label: str) -> bool:
        """Whether it is about this label of this source."""
        meant = self.sources is None or source in self.sources
        return meant and (label in self.labels) != self.but


def quiet_hours(settings: Iterable[QuietSettings]) -> tuple[QuietHours, ...]:
    """The hours of the config."""
    return tuple(_hours(one) for one in settings)


def _hours(settings: QuietSettings) -> QuietHours:
    return QuietHours(
        begin=time.fromisoformat(settings.begin),
        end=time.fromisoformat(settings.end),
        days=frozenset(WEEKDAYS.index(day) for day in settings.days),
        zone=None if settings.timezone is None else ZoneInfo(settings.timezone),
        sources=frozenset(settings.sources) or None,
        labels=frozenset(settings.labels or settings.all_but or ()),
        but=settings.labels is None,
    )
