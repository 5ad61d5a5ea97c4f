"""What became of the events that stations sent."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as a subscriber got it; `at` is unix seconds."""

    topic: str
    payload: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """Event messages that were sent, and what of them was lost, came out of order, or came again.

    Of each station's messages those are out of order that came after a later one. `latencies` are seconds
    from an event's own moment, which it gives to the millisecond, to its first arrival; `last_at` is when
    the last of them arrived, unix seconds.
    """

    sent: int
    lost: int
    out_of_order: int
    again: int
    latencies: tuple[float, ...]
    last_at: float


def judge(arrivals: Sequence[Arrival], sent: Mapping[str, range]) -> Outcome:
    """Compare what arrived with the numbers that each station sent; others, of before, came again."""
    first: dict[str, dict[int, tuple[float, float]]] = defaultdict(dict)
    for arrival in arrivals:
        document = json.loads(arrival.payload)
        station, number = document["station"], number_of(document)
        if number in sent.get(station, range(0)):
            first[station].setdefault(number, (_moment_of(document), arrival.at))
    moments = [pair for numbers in first.values() for pair in numbers.values()]
    total = sum(map(len, sent.values()))
    return Outcome(
        sent=total,
        lost=total - len(moments),
        out_of_order=sum(
            later < earlier
            for numbers in first.values()
            for earlier, later in itertools.pairwise(numbers)
        ),
        again=len(arrivals) - len(moments),
        latencies=tuple(at - moment for moment, at in moments),
        last_at=max((at for _, at in moments), default=0.0),
    )


def number_of(document: Mapping[str, Any]) -> int:
    """As the station counted: even where an event starts, odd where it ends."""
    return 2 * int(document["id"]) + int(document["phase"] == "end")


def _moment_of(document: Mapping[str, Any]) -> float:
    moment = document["offset"] or document["onset"]
    return datetime.fromisoformat(moment).timestamp()
