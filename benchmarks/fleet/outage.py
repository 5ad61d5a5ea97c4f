"""The broker is killed while all stations speak, and comes back: the herd, the backlog, what is lost."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from benchmarks.figures import Aim, Figure
from benchmarks.fleet.broker import connections_by_second
from benchmarks.fleet.crowd import Crowd
from benchmarks.fleet.delivery import numbers_sent
from benchmarks.fleet.outcome import Outcome
from benchmarks.fleet.receiver import Receiver
from tests.rigs.mosquitto import Mosquitto

_BEFORE_SECONDS = 2.0
_BACK_SECONDS = 60.0
_DRAIN_SECONDS = 120.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Outage:
    """Event messages a second of each station, also while the broker is away for so long."""

    per_second: float
    away_seconds: float


@dataclass(frozen=True, slots=True)
class Return:
    """What followed an outage; seconds from the moment at which the broker listened again.

    `back_seconds` until every station was connected, `drained_seconds` until the last event that had
    waited arrived; `connections` counts them by second.
    """

    outcome: Outcome
    back_seconds: float
    drained_seconds: float
    connections: Counter[int]


def measure_return(crowd: Crowd, outage: Outage, broker: Mosquitto, receiver: Receiver) -> Return:
    """Kill the broker while a crowd speaks, start it again, wait until all is well.

    Raises:
        TimeoutError: a station did not come back.
    """
    receiver.take()
    before = crowd.standing()
    crowd.begin(outage.per_second, _BEFORE_SECONDS + outage.away_seconds)
    time.sleep(_BEFORE_SECONDS)
    broker.stop()
    after = crowd.standing()  # when all have spoken
    began = time.time()
    broker.start()
    crowd.wait_until_connected(_BACK_SECONDS)
    back_seconds = time.time() - began
    outcome = receiver.take_outcome(numbers_sent(before, after), _DRAIN_SECONDS)
    _wait_until_drained(crowd)
    return Return(
        outcome,
        back_seconds,
        outcome.last_at - began,
        connections_by_second(broker.log, crowd.names[0][:1], began),
    )


def _wait_until_drained(crowd: Crowd) -> None:
    """Wait until the stations know that the broker has all, which ends the outage for them.

    Raises:
        TimeoutError: they do not.
    """
    deadline = time.monotonic() + _DRAIN_SECONDS
    while waiting := crowd.standing().waiting:
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected nothing to wait, got {waiting} messages")
        time.sleep(_LOOK_SECONDS)


def return_figures(part: str, returned: Return) -> list[Figure]:
    """One outage."""
    outcome, none = returned.outcome, Aim("at most", 0)
    return [
        Figure(part, "event messages", "", (outcome.sent,)),
        Figure(part, "lost", "", (outcome.lost,), none),
        Figure(part, "out of order", "", (outcome.out_of_order,), none),
        Figure(part, "came again", "", (outcome.again,)),
        Figure(part, "all stations are back after", "s", (returned.back_seconds,)),
        Figure(part, "most connections", "/ s", (max(returned.connections.values()),)),
        Figure(part, "the last event arrived after", "s", (returned.drained_seconds,)),
    ]
