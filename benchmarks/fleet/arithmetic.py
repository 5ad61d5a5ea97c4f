"""What a fleet costs, from what one station was measured to cost."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.fleet.wire import StationCost

DAY_SECONDS = 86_400
KEEPALIVE_SECONDS = 15
MESSAGES_PER_EVENT = 4  # a start and an end, and the state beside each
STATION_TOPICS = 2  # retained: `status` and `bundle`
REST_LIMIT_SECONDS = (
    15.0  # the longest pause between two tries to connect; half of it is the shortest
)


@dataclass(frozen=True, slots=True)
class Habits:
    """A station's sources and labels, and what it hears; `level_seconds` between two levels, None: none."""

    sources: int
    labels: int
    events_per_day: float
    level_seconds: float | None

    @property
    def retained(self) -> int:
        """Retained topics: the station's, and for each source its status and a state a label."""
        return STATION_TOPICS + self.sources * (1 + self.labels)

    @property
    def levels_per_day(self) -> float:
        """Of all sources."""
        return (
            0.0 if self.level_seconds is None else self.sources * DAY_SECONDS / self.level_seconds
        )

    @property
    def messages_per_day(self) -> float:
        """PUBLISH packets that the broker takes from it."""
        return self.events_per_day * MESSAGES_PER_EVENT + self.levels_per_day


def bytes_per_day(habits: Habits, cost: StationCost) -> float:
    """That its connection carries both ways, TCP's own left out; one connection a day is made anew.

    A station that says something within every keepalive sends no ping.
    """
    is_quiet = habits.level_seconds is None or habits.level_seconds >= KEEPALIVE_SECONDS
    pings = DAY_SECONDS / KEEPALIVE_SECONDS if is_quiet else 0.0
    return (
        connect_bytes(habits, cost)
        + habits.events_per_day * cost.event
        + habits.levels_per_day * cost.level
        + pings * cost.ping
    )


def connect_bytes(habits: Habits, cost: StationCost) -> float:
    """Of one connection with all that is retained."""
    more = habits.sources - 1
    return cost.connect + more * cost.source + habits.sources * habits.labels * cost.label


@dataclass(frozen=True, slots=True)
class Fleet:
    """So many stations of the same habits."""

    stations: int
    habits: Habits
    cost: StationCost

    @property
    def messages_per_second(self) -> float:
        """PUBLISH packets that brokers take from stations, on average."""
        return self.stations * self.habits.messages_per_day / DAY_SECONDS

    @property
    def bytes_per_second(self) -> float:
        """Both ways, on average."""
        return self.stations * bytes_per_day(self.habits, self.cost) / DAY_SECONDS

    @property
    def retained(self) -> int:
        """Retained messages."""
        return self.stations * self.habits.retained

    @property
    def connects_per_second(self) -> float:
        """On average while all come back after an outage that was long: spread over half of the limit."""
        return self.stations / (REST_LIMIT_SECONDS / 2)
