"""Whether a cost grows in proportion to what causes it, or more, or less."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def growth_exponent(amounts: Sequence[float], totals: Sequence[float]) -> float:
    """The x of total ~ amount^x that fits best: 1 is in proportion, less is better than that.

    Raises:
        ValueError: fewer than two amounts, or not one positive total for each.
    """
    _check(amounts, totals)
    return float(np.polyfit(np.log(amounts), np.log(totals), 1)[0])


def steepest_step(amounts: Sequence[float], totals: Sequence[float]) -> float:
    """From one amount to the next, the most by which the cost of each unit is multiplied.

    Raises:
        ValueError: as for `growth_exponent`.
    """
    _check(amounts, totals)
    each = np.asarray(totals) / np.asarray(amounts)
    return float(np.max(each[1:] / each[:-1]))


def _check(amounts: Sequence[float], totals: Sequence[float]) -> None:
    rises = all(first < second for first, second in pairwise(amounts))
    if len(amounts) < 2 or len(amounts) != len(totals) or not rises or min(totals) <= 0:
        raise ValueError(
            f"expected two or more rising amounts, each with a total over 0, got {list(amounts)} "
            f"with {list(totals)}"
        )
