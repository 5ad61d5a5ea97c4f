"""Hits, false alarms and misses, and the rates that follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

from trainer.evaluation.scored_file import Intervals


@dataclass(frozen=True, slots=True)
class Counts:
    """Of things that are there, how many were found and missed; and how many were found in vain."""

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.hits + other.hits,
            self.false_alarms + other.false_alarms,
            self.misses + other.misses,
        )

    @property
    def precision(self) -> float | None:
        """Share of what was found that is right; None where nothing was found."""
        return _ratio(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float | None:
        """Share of what is there that was found; None where nothing is there."""
        return _ratio(self.hits, self.hits + self.misses)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None where nothing is there and nothing found."""
        return _ratio(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses)


Matcher = Callable[[Intervals, Intervals], Counts]  # found, truth


def sum_counts(counts: Iterable[Counts]) -> Counts:
    """All of them together."""
    return reduce(add, counts, Counts())


def mean_known(values: Iterable[float | None]) -> float | None:
    """The mean of those that are known: a macro average. None where none is."""
    known = [value for value in values if value is not None]
    return _ratio(sum(known), len(known))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
