"""What one station and one kept message cost, and the arithmetic of a fleet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.fleet.arithmetic import Fleet, Habits, bytes_per_day
from benchmarks.fleet.broker import shipped_broker
from benchmarks.fleet.keeping import Keeping, measure_keeping
from benchmarks.fleet.plan import Plan
from benchmarks.fleet.series import Series, measure_series
from benchmarks.fleet.wire import StationCost, measure_wire

HABITS = {
    "idle, no levels": Habits(1, 5, 0, None),
    "40 events a day, no levels": Habits(1, 5, 40, None),
    "40 events a day, a level a second": Habits(1, 5, 40, 1.0),
}


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured."""

    wire: StationCost
    keeping: Keeping
    series: Series


def measure_costs(plan: Plan, directory: Path) -> Costs:
    """A broker with a station at a time."""
    place = directory / "costs"
    place.mkdir()
    with shipped_broker(place, keeps=False) as broker:
        wire = measure_wire(broker, place)
    return Costs(wire, measure_keeping(place, plan.amounts), measure_series(place))


def cost_figures(costs: Costs, stations: int) -> list[Figure]:
    """Of one station, of what a broker keeps, and of a fleet."""
    return [*_of_one(costs), *_of_a_day(costs.wire), *_of_a_fleet(costs, stations)]


def _of_one(costs: Costs) -> Iterator[Figure]:
    wire, keeping, series = costs.wire, costs.keeping, costs.series
    for what, count in (
        ("a connection, one source", wire.connect),
        ("one source more", wire.source),
        ("one label more, of each source", wire.label),
        ("an event: start, end, states", wire.event),
        ("a level", wire.level),
    ):
        yield Figure("on the wire, both ways", what, "bytes", (count,))
    yield Figure("a broker keeps", "retained state, memory", "bytes", (keeping.retained_bytes,))
    yield Figure("a broker keeps", "retained state, disk", "bytes", (keeping.disk_bytes,))
    yield Figure("a broker keeps", "connection, memory", "bytes", (keeping.connection_bytes,))
    for kept, milliseconds in keeping.saving.items():
        what = f"a message, {kept} states written"
        yield Figure("a broker keeps", what, "core-ms", (milliseconds,))
    yield Figure("Prometheus", "one source, five labels", "series", (series.station,))
    yield Figure("Prometheus", "of these sent on to a fleet's", "series", (series.sent,))
    yield Figure("Prometheus", "one source more", "series", (series.source,))
    yield Figure("Prometheus", "one label more, of each source", "series", (series.label,))


def _of_a_day(wire: StationCost) -> Iterator[Figure]:
    for name, habits in HABITS.items():
        yield Figure(f"a day: {name}", "messages", "", (habits.messages_per_day,))
        yield Figure(f"a day: {name}", "on the wire", "kB", (bytes_per_day(habits, wire) / 1e3,))


def _of_a_fleet(costs: Costs, stations: int) -> Iterator[Figure]:
    for name, habits in HABITS.items():
        fleet, part = Fleet(stations, habits, costs.wire), f"{stations} stations: {name}"
        yield Figure(part, "messages", "/ s", (fleet.messages_per_second,))
        yield Figure(part, "on the wire", "kB/s", (fleet.bytes_per_second / 1e3,))
    keeping, part = costs.keeping, f"{stations} stations"
    memory = fleet.retained * keeping.retained_bytes + stations * keeping.connection_bytes
    yield Figure(part, "retained messages", "", (fleet.retained,))
    yield Figure(part, "memory for them and the connections", "MB", (memory / 1e6,))
    yield Figure(part, "disk for them", "MB", (fleet.retained * keeping.disk_bytes / 1e6,))
    yield Figure(part, "series at the sites", "million", (stations * costs.series.station / 1e6,))
    yield Figure(part, "series at the fleet's", "million", (stations * costs.series.sent / 1e6,))
    yield Figure(part, "connects after a long outage", "/ s", (fleet.connects_per_second,))
