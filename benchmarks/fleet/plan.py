"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.fleet.delivery import Rate
from benchmarks.fleet.keeping import Amounts
from benchmarks.fleet.outage import Outage


@dataclass(frozen=True, slots=True)
class Plan:
    """Stations on one broker, the rates at which they speak, and how the broker goes away meanwhile.

    `keeps`: whether the broker writes to the disk what it keeps, one run each.
    """

    stations: int
    keeps: tuple[bool, ...]
    rates: tuple[Rate, ...]
    outages: tuple[Outage, ...]
    amounts: Amounts


FULL = Plan(
    stations=100,
    keeps=(False, True),
    rates=(Rate(1.0, 8.0), Rate(20.0, 3.0)),
    # the longer one is beyond the last doubling of the pause between two tries
    outages=(Outage(2.0, 1.0), Outage(2.0, 25.0)),
    amounts=Amounts(retained=20_000, connections=200, saved=(500, 2000)),
)
