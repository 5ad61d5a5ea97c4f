"""What was measured: figures with their repeats, and what the project aims at."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure's median should be: `at most` or `at least` a limit."""

    sense: Literal["at most", "at least"]
    limit: float

    def met(self, value: float) -> bool:
        """Whether a value is on the right side of the limit, or on it."""
        return value <= self.limit if self.sense == "at most" else value >= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: its values, one a repeat, in `unit`.

    Raises:
        ValueError: no values.
    """

    part: str
    what: str
    unit: str
    values: tuple[float, ...]
    aim: Aim | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.what}: expected at least one value, got none")

    @property
    def median(self) -> float:
        """The middle value, or the mean of the two in the middle."""
        return statistics.median(self.values)

    @property
    def meets_aim(self) -> bool | None:
        """Whether the median meets the aim; None without one."""
        return None if self.aim is None else self.aim.met(self.median)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all do not exceed (the nearest rank).

    Raises:
        ValueError: no values, or a percentage that is not in (0, 100].
    """
    if not values or not 0 < percent <= 100:
        raise ValueError(f"expected values and 0 < percent <= 100, got {len(values)}, {percent}")
    rank = -(-len(values) * percent // 100)  # rounded up
    return sorted(values)[int(rank) - 1]
