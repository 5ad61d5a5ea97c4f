"""What one station costs on the wire, counted by a proxy between it and its broker."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet.stations import EarshotStation, Setup, label_slugs
from tests.rigs.mosquitto import Mosquitto
from tests.rigs.tcp_proxy import TcpProxy

_REST_SECONDS = 0.5  # without a byte: nothing is on its way
_DEADLINE_SECONDS = 30.0
_COUNT = 50
_MORE_LABELS = 100
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class StationCost:
    """Bytes that a station's TCP connection carries, both ways, acknowledgements included.

    `connect` is a connection with one source of no label, `source` and `label` what one more of each
    adds to it (a label for each source), `event` a start and an end with the states beside them, `ping`
    a keepalive with its answer.
    """

    connect: float
    source: float
    label: float
    event: float
    level: float
    ping: float


PING_BYTES = 4.0  # PINGREQ and PINGRESP are two bytes each (MQTT 5, 3.12 and 3.13)


def measure_wire(broker: Mosquitto, directory: Path) -> StationCost:
    """Measure with a station at a time."""
    plain, twice, many = (
        _connect_bytes(broker, directory, setup)
        for setup in (
            Setup(("hall",), ()),
            Setup(("hall", "yard"), ()),
            Setup(("hall",), label_slugs(_MORE_LABELS)),
        )
    )
    with _counted(broker, directory, Setup()) as (station, link):
        event = _bytes_of(link, lambda: _send_events(station)) / _COUNT
        level = _bytes_of(link, lambda: _send_levels(station)) / _COUNT
    label = (many - plain) / _MORE_LABELS
    return StationCost(plain, twice - plain, label, event, level, PING_BYTES)


def _connect_bytes(broker: Mosquitto, directory: Path, setup: Setup) -> float:
    """Of a connection that is made anew: the first one may also carry states that change meanwhile."""
    with _counted(broker, directory, setup) as (_, link):
        return _bytes_of(link, link.cut)


@contextmanager
def _counted(
    broker: Mosquitto, directory: Path, setup: Setup
) -> Iterator[tuple[EarshotStation, TcpProxy]]:
    """A station behind a proxy, once its connection is at rest."""
    name = f"w{next(_NUMBERS):05d}"  # as long as a name of a station may be
    with TcpProxy(broker.port) as link:
        station = EarshotStation(name, link.port, directory, setup)
        try:
            _wait_for_rest(link, 0)
            yield station, link
        finally:
            station.close()


def _send_events(station: EarshotStation) -> None:
    for number in range(2 * _COUNT):
        station.send(number)


def _send_levels(station: EarshotStation) -> None:
    now = time.time()
    for second in range(_COUNT):
        station.send_level(now + second)


def _bytes_of(link: TcpProxy, act: Callable[[], None]) -> float:
    before = link.bytes_up + link.bytes_down
    act()
    _wait_for_rest(link, before)
    return link.bytes_up + link.bytes_down - before


def _wait_for_rest(link: TcpProxy, before: int) -> None:
    """Wait until more bytes have passed than `before`, and then for some time none.

    Raises:
        TimeoutError: they never stop.
    """
    deadline = time.monotonic() + _DEADLINE_SECONDS
    seen, since = before, time.monotonic()
    while seen == before or time.monotonic() - since < _REST_SECONDS:
        if time.monotonic() > deadline:
            raise TimeoutError("expected a connection that comes to rest")
        now = link.bytes_up + link.bytes_down
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.02)
