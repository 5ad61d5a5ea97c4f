"""Work in threads: in order, bounded, and its errors come out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trainer.data.workers import map_in_threads


def test_results_come_in_order():
    assert list(map_in_threads(lambda n: n * n, range(20))) == [n * n for n in range(20)]


def test_only_a_few_are_begun():
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_in_threads(lambda n: n, items())
    next(results)
    assert len(taken) == 5


def test_an_error_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(lambda n: 1 // n, [1, 0, 1]))
