"""Stations and bare publishers at the same rates on the same broker, in turn."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.figures import Aim, Figure, percentile
from benchmarks.fleet.crowd import Crowd, Standing
from benchmarks.fleet.outcome import Outcome
from benchmarks.fleet.receiver import Account, Receiver
from benchmarks.process_clock import process_cpu_seconds
from tests.rigs.mosquitto import Mosquitto

_SETTLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Rate:
    """Event messages a second of each station, for so long."""

    per_second: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Course:
    """What passed while a crowd spoke at one rate; CPU in seconds. `after` is the account at its end."""

    outcome: Outcome
    seconds: float
    passed: Account
    after: Account
    broker_cpu: float
    crowd_cpu: float

    @property
    def messages(self) -> int:
        """PUBLISH packets that the broker took: each event message, and the state beside it."""
        return 2 * self.outcome.sent


def measure_course(
    crowd: Crowd, rate: Rate, broker: Mosquitto, receiver: Receiver, before: Account
) -> Course:
    """Let a crowd speak, and wait until all has come; `before` is the account since when all was quiet."""
    receiver.take()
    stood = crowd.standing()
    cpu = process_cpu_seconds(broker.pid)
    crowd.begin(rate.per_second, rate.seconds)
    outcome = receiver.take_outcome(numbers_sent(stood, crowd.standing()), _SETTLE_SECONDS)
    after = receiver.account()
    cpu = process_cpu_seconds(broker.pid) - cpu
    spent = crowd.standing().cpu_seconds - stood.cpu_seconds
    return Course(outcome, rate.seconds, after.since(before), after, cpu, spent)


def numbers_sent(before: Standing, after: Standing) -> dict[str, range]:
    """By station the numbers of the event messages that it sent between two moments."""
    return {name: range(before.made[name], count) for name, count in after.made.items()}


def figures_of(part: str, course: Course, none: Aim | None = None) -> list[Figure]:
    """One course; `none` is the aim of what should not be."""
    outcome, passed, seconds = course.outcome, course.passed, course.seconds
    rows: list[tuple[str, str, float, Aim | None]] = [
        ("event messages", "", outcome.sent, None),
        ("lost", "", outcome.lost, none),
        ("out of order", "", outcome.out_of_order, none),
        ("offered", "msg/s", course.messages / seconds, None),
        ("broker takes, a second of speech", "kB", passed.bytes_in / seconds / 1e3, None),
        ("broker gives, a second of speech", "kB", passed.bytes_out / seconds / 1e3, None),
        ("broker", "core-ms / 1000 msg", per_thousand(course, course.broker_cpu), None),
        ("all stations", "core-ms / 1000 msg", per_thousand(course, course.crowd_cpu), None),
        ("latency p50", "ms", percentile(outcome.latencies, 50) * 1000, None),
        ("latency p99", "ms", percentile(outcome.latencies, 99) * 1000, None),
    ]
    return [Figure(part, what, unit, (value,), aim) for what, unit, value, aim in rows]


def per_thousand(course: Course, cpu_seconds: float) -> float:
    """Core-milliseconds for a thousand messages that the broker took."""
    return cpu_seconds * 1e6 / course.messages
