"""What a search tries: the range of every parameter, and the points of a grid."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from trainer.search.lessons import AUGMENTATIONS, default_params
from trainer.search.places import Params

Space = Mapping[str, BaseDistribution]

# A grid has these values alone; the other parameters are those of `trainer fit`.
_GRID: dict[str, tuple[Any, ...]] = {
    "learning_rate": (1e-3, 2e-3, 5e-3),
    "weight_decay": (1e-2, 3e-2, 1e-1),
    "hidden": (0, 128),
    "copies": (0, 2),
}


def make_space(most_thawed: int) -> Space:
    """The range of every parameter; of 0 to `most_thawed` blocks of YAMNet, if that is not 0."""
    space: dict[str, BaseDistribution] = {
        "learning_rate": FloatDistribution(2e-4, 2e-2, log=True),
        "batch_size": CategoricalDistribution((64, 128, 256, 512)),
        "hidden": CategoricalDistribution((0, 128, 512)),
        "dropout": FloatDistribution(0.0, 0.5, step=0.1),
        "weight_decay": FloatDistribution(1e-3, 3e-1, log=True),
        "mixup_alpha": FloatDistribution(0.0, 0.4, step=0.1),
        "augmentation": CategoricalDistribution(tuple(AUGMENTATIONS)),
        "copies": IntDistribution(0, 3),
        "repeats": IntDistribution(1, 8, log=True),
    }
    if most_thawed:
        space["thawed_blocks"] = IntDistribution(0, most_thawed)
    return space


def make_grid(seed: int) -> tuple[Params, ...]:
    """All points of the grid, shuffled, so that the first few are spread over it."""
    points = [
        default_params() | dict(zip(_GRID, values, strict=True))
        for values in itertools.product(*_GRID.values())
    ]
    order = np.random.default_rng(seed).permutation(len(points))
    return tuple(points[place] for place in order)
