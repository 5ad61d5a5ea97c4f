"""What so many alarms in so many hours allow one to claim."""

from __future__ import annotations

import math
from dataclasses import dataclass

CONFIDENCE = 0.95

_HOURS_PER_DAY = 24.0


@dataclass(frozen=True, slots=True)
class AlarmRate:
    """False alarms counted in hours of audio.

    `at_most_per_day` is the upper bound on the true rate that holds in 95 % of such counts: no alarm
    in one hour still allows 72 a day.
    """

    alarms: int
    hours: float

    def __post_init__(self) -> None:
        if self.alarms < 0 or not self.hours > 0:
            raise ValueError(
                f"alarm rate: expected at least 0 alarms in more than 0 hours, "
                f"got {self.alarms} in {self.hours}"
            )

    @property
    def per_hour(self) -> float:
        """As counted."""
        return self.alarms / self.hours

    @property
    def per_day(self) -> float:
        """As counted."""
        return self.per_hour * _HOURS_PER_DAY

    @property
    def at_most_per_day(self) -> float:
        """The 95 % upper bound."""
        return upper_bound(self.alarms) / self.hours * _HOURS_PER_DAY


def upper_bound(count: int, confidence: float = CONFIDENCE) -> float:
    """The largest Poisson mean under which so few as `count` still come with chance 1 - confidence.

    The exact one-sided bound of F. Garwood 1936; 3.0 for none (the rule of three), 4.74 for one.
    """
    low, high = 0.0, count + 10.0 * math.sqrt(count + 1.0) + 10.0
    for _ in range(100):  # halvings: down to the last bit of a float
        middle = (low + high) / 2
        if _at_most(count, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return low


def _at_most(count: int, mean: float) -> float:
    """The chance of `count` or fewer at a Poisson mean over 0."""
    logs = (k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1))
    return math.fsum(map(math.exp, logs))


def hours_to_claim(per_day: float, confidence: float = CONFIDENCE) -> float:
    """Hours without an alarm after which the bound is down to so many a day."""
    return upper_bound(0, confidence) / per_day * _HOURS_PER_DAY
