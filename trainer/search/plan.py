"""Which trials a search wants: how many, where their parameters come from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from trainer.config import Sampler
from trainer.search.lessons import default_params
from trainer.search.places import Params
from trainer.search.space import Space, make_grid

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """`count` trials in `space`.

    `first_params` are the parameters of a place that are not drawn, `make_sampler` draws the others. It
    is given the number of trials so far: processes with one seed draw different ones.
    """

    count: int
    space: Space
    first_params: Callable[[int], Params]
    make_sampler: Callable[[int], BaseSampler]


def make_plan(sampler: Sampler, count: int, space: Space, seed: int) -> Plan:
    """Of a grid all parameters are given; else those of the first trial, the defaults of `trainer fit`."""
    if sampler == "grid":
        return _make_grid_plan(count, space, seed)
    make = TPESampler if sampler == "tpe" else RandomSampler
    return Plan(
        count,
        space,
        first_params=lambda place: {} if place else default_params(),
        make_sampler=lambda so_far: make(seed=_mix(seed, so_far)),
    )


def _make_grid_plan(count: int, space: Space, seed: int) -> Plan:
    grid = make_grid(seed)
    if count > len(grid):
        log.info("the grid has %d points: that many trials", len(grid))
    return Plan(
        min(count, len(grid)),
        space,
        first_params=lambda place: grid[place],
        make_sampler=lambda so_far: RandomSampler(seed=_mix(seed, so_far)),
    )


def _mix(seed: int, so_far: int) -> int:
    return seed * 1_000_003 + so_far & 0xFFFFFFFF  # Optuna's samplers take 32 bits
