"""The crowd on one broker: delivery beside bare publishers, then outages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Aim, Figure
from benchmarks.fleet.broker import rss_bytes, shipped_broker
from benchmarks.fleet.crowd import Crowd, crowd
from benchmarks.fleet.delivery import figures_of, measure_course
from benchmarks.fleet.outage import measure_return, return_figures
from benchmarks.fleet.plan import Plan
from benchmarks.fleet.receiver import Receiver
from tests.rigs.mosquitto import Mosquitto

log = logging.getLogger(__name__)

_EVENTS = "earshot/+/+/event"
_CONNECT_SECONDS = 60.0


def measure_rig(plan: Plan, directory: Path) -> list[Figure]:
    """On a broker that keeps nothing on disk, and on the one that ships; outages on that one."""
    figures = []
    for keeps in plan.keeps:
        place = directory / ("on disk" if keeps else "in memory")
        place.mkdir()
        with (
            shipped_broker(place, keeps=keeps) as broker,
            Receiver(broker.port, _EVENTS) as receiver,
            _connected(plan, broker, place) as stations,
        ):
            figures += _memory(plan, broker, stations)
            figures += _beside_bare(plan, broker, receiver, stations, place)
    return figures + _outages(plan, directory)


def _outages(plan: Plan, directory: Path) -> list[Figure]:
    """On a fresh broker each, so that none begins with what the one before left."""
    figures = []
    for number, outage in enumerate(plan.outages):
        own = directory / f"outage{number}"
        own.mkdir()
        with (
            shipped_broker(own) as broker,
            Receiver(broker.port, _EVENTS) as receiver,
            _connected(plan, broker, own) as stations,
        ):
            part = f"killed, away {outage.away_seconds:g} s"
            log.info("%s", part)
            figures += return_figures(part, measure_return(stations, outage, broker, receiver))
    return figures


@contextmanager
def _connected(
    plan: Plan, broker: Mosquitto, directory: Path, *, bare: bool = False
) -> Iterator[Crowd]:
    kind = "b" if bare else "s"
    names = [f"{kind}{number:05d}" for number in range(plan.stations)]
    with crowd(names, broker.port, directory, bare=bare) as stations:
        stations.wait_until_connected(_CONNECT_SECONDS)
        yield stations


def _beside_bare(
    plan: Plan, broker: Mosquitto, receiver: Receiver, stations: Crowd, place: Path
) -> list[Figure]:
    """Each rate by the stations, then by as many bare publishers."""
    figures = []
    with _connected(plan, broker, place, bare=True) as bare:
        account = receiver.account()
        for rate in plan.rates:
            part = f"{rate.per_second:g}/s each, {place.name}"
            log.info("%s", part)
            course = measure_course(stations, rate, broker, receiver, account)
            figures += figures_of(part, course, Aim("at most", 0))
            course = measure_course(bare, rate, broker, receiver, course.after)
            figures += figures_of(f"{part}: bare paho", course)
            account = course.after
    return figures


def _memory(plan: Plan, broker: Mosquitto, stations: Crowd) -> list[Figure]:
    part = f"{plan.stations} stations, memory"
    return [
        Figure(part, "broker", "MB", (rss_bytes(broker) / 1e6,)),
        Figure(part, "all stations", "MB", (stations.standing().rss_bytes / 1e6,)),
    ]
