"""How well a lesson does: each fold in turn is held out, the others are learnt from."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from trainer.augment.augmentation import Augmentation
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import ClipTable
from trainer.errors import FitError
from trainer.model.backbones import Backbone
from trainer.model.progress import clips_bar
from trainer.model.settings import FitSettings, HeadShape, Thawing
from trainer.model.validation import OnEpoch
from trainer.search.trials import Params
from trainer.training.recipe import Recipe
from trainer.training.train import clip_accuracy, split, train
from trainer.training.training_set import TrainingSet, make_training_set

ASTRAY = "astray"  # the attribute of a trial whose training failed: why
_LEAST_FOLDS_TO_STOP_BY = 2  # one to learn from, one that tells when to stop


# The value of a trial: the mean over the folds, given up where it is not worth its end.


def mean_over_folds(
    trial: optuna.Trial, folds: Sequence[int], test: Callable[[int], float]
) -> float:
    """The mean of `test` over the folds; all trials of a study must take them in the same order.

    What is reported after a fold is the mean if the folds to come gave 0: the pruner judges a trial by
    the best that it ever reported, and a sum cannot fall as the mean of the folds so far does.

    Raises:
        TrialPruned: after a fold that is not the last, worse than half of the trials before it.
    """
    total = 0.0
    for step, fold in enumerate(folds):
        total += test(fold)
        trial.report(total / len(folds), step)
        if step + 1 < len(folds) and trial.should_prune():
            raise optuna.TrialPruned
    return total / len(folds)


# A trial's parameters -> the lesson that they stand for.


# Few and named, so that what they give is embedded once and then found in the cache.
AUGMENTATIONS = {
    "default": Augmentation(),
    "room": Augmentation(reverb_chance=0.5),
    "strong": Augmentation(
        gain_db=(-12.0, 12.0), pitch_chance=0.5, reverb_chance=0.5, snr_db=(-5.0, 20.0)
    ),
}


def make_lesson(params: Params, base: Recipe) -> Recipe:
    """A lesson with these parameters; all else is as in `base`."""
    fit = replace(
        base.fit,
        head=HeadShape(params["hidden"], params["dropout"]),
        thawing=replace(base.fit.thawing, blocks=params.get("thawed_blocks", 0)),
        learning_rate=params["learning_rate"],
        weight_decay=params["weight_decay"],
        mixup_alpha=params["mixup_alpha"],
    )
    return replace(
        base,
        fit=fit,
        augmentation=AUGMENTATIONS[params["augmentation"]],
        copies=params["copies"],
        repeats=params["repeats"],
        batch_size=params["batch_size"],
    )


def default_params() -> dict[str, Any]:
    """Those of `trainer fit`."""
    lesson, fit = Recipe(), FitSettings()
    return {
        "learning_rate": fit.learning_rate,
        "batch_size": lesson.batch_size,
        "hidden": fit.head.hidden,
        "dropout": fit.head.dropout,
        "weight_decay": fit.weight_decay,
        "mixup_alpha": fit.mixup_alpha,
        "augmentation": "default",
        "copies": lesson.copies,
        "repeats": lesson.repeats,
        "thawed_blocks": Thawing().blocks,
    }


# The material of lessons, gathered once for all that differ only in how they learn from it.


@dataclass(frozen=True, slots=True)
class TrainingSets:
    """A table of clips and the backbone that embeds them."""

    table: ClipTable
    backbone: Backbone
    cache: EmbeddingCache
    _gathered: dict[tuple[Augmentation, int], TrainingSet] = field(default_factory=dict)

    def of(self, lesson: Recipe) -> TrainingSet:
        """What the lesson learns from; all lessons asked for share activation, background and seed.

        Raises:
            DataError, BackboneError: see `make_training_set`.
        """
        key = lesson.augmentation, lesson.copies
        if key not in self._gathered:
            with clips_bar() as report:
                material = make_training_set(self.table, self.backbone, self.cache, lesson, report)
            self._gathered[key] = material
        return replace(self._gathered[key], repeats=lesson.repeats)


@dataclass(frozen=True, slots=True)
class HeldOutFolds:
    """An `Objective`: the clip accuracy over the folds, [0, 1], none of which the lesson has heard.

    As in `trainer fit`, one of the folds learnt from tells when to stop: the next one.
    """

    folds: tuple[int, ...]
    base: Recipe
    materials: TrainingSets

    def __call__(self, trial: optuna.Trial) -> float:
        """Teach and test, fold by fold.

        Raises:
            TrialPruned: it does worse than half of the others, or its training went astray.
            DataError, BackboneError: see `make_training_set` and `train`.
        """
        lesson = make_lesson(trial.params, self.base)
        material = self.materials.of(lesson)
        test = partial(self._test, trial, material, lesson)
        return mean_over_folds(trial, self.folds, test)

    def _test(self, trial: optuna.Trial, material: TrainingSet, lesson: Recipe, fold: int) -> float:
        backbone = self.materials.backbone
        others = tuple(other for other in self.folds if other != fold)
        parts = split(material, others, self._fold_to_stop_by(fold))
        try:
            taught = train(parts, backbone, lesson, _quietly)
        except FitError as error:
            trial.set_user_attr(ASTRAY, str(error))
            raise optuna.TrialPruned from error
        tested = material.in_folds(fold)
        return clip_accuracy(
            taught, tested.clips if taught.thawed is None else tested.clips_as_log_mel()
        )

    def _fold_to_stop_by(self, held_out: int) -> int | None:
        if len(self.folds) <= _LEAST_FOLDS_TO_STOP_BY:
            return None
        return self.folds[(self.folds.index(held_out) + 1) % len(self.folds)]


@contextlib.contextmanager
def _quietly(_what: str, _epochs: int) -> Iterator[OnEpoch]:
    """No line for each of many trainings."""
    yield lambda _epoch: None


# What a search tries: the range of every parameter, and the points of a grid.


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
