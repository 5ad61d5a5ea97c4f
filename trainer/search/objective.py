"""What a search maximises: the clip accuracy of a recipe, over folds that are held out in turn."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna import distributions

from trainer.augment.augmentation import Augmentation
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import ClipTable
from trainer.errors import FitError
from trainer.model import backbones, progress, settings
from trainer.search.trials import DIVERGED, Params
from trainer.terminal import clips_bar
from trainer.training.recipe import Recipe
from trainer.training.train import clip_accuracy, split, train
from trainer.training.training_set import TrainingSet, make_training_set

_MIN_FOLDS_TO_VALIDATE = 3  # one held out, one to validate on, one to train on

# Few and named, so that their copies are embedded once and then found in the cache.
AUGMENTATIONS = {
    "default": Augmentation(),
    "room": Augmentation(reverb_chance=0.5),
    "strong": Augmentation(
        gain_db=(-12.0, 12.0), pitch_chance=0.5, reverb_chance=0.5, snr_db=(-5.0, 20.0)
    ),
}
# A grid varies these; the other parameters are those of `trainer fit`.
_GRID: dict[str, tuple[Any, ...]] = {
    "learning_rate": (1e-3, 2e-3, 5e-3),
    "weight_decay": (3e-3, 1e-2, 3e-2),
    "hidden": (0, 128),
    "copies": (0, 2),
}

Space = Mapping[str, distributions.BaseDistribution]


def mean_over_folds(
    trial: optuna.Trial, folds: Sequence[int], test: Callable[[int], float]
) -> float:
    """The mean of `test` over the folds; all trials of a study must have them in the same order.

    What is reported after a fold is the mean as if the remaining folds gave 0: the pruner compares the
    best value that a trial ever reported, and a sum cannot fall as the mean of the folds so far does.

    Raises:
        TrialPruned: after a fold that is not the last, it is worse than half of the trials before it.
    """
    total = 0.0
    for step, fold in enumerate(folds):
        total += test(fold)
        trial.report(total / len(folds), step)
        if step + 1 < len(folds) and trial.should_prune():
            raise optuna.TrialPruned
    return total / len(folds)


def make_recipe(params: Params, base: Recipe) -> Recipe:
    """The recipe with these parameters; all else is as in `base`."""
    fit = replace(
        base.fit,
        head=settings.HeadShape(params["hidden"], params["dropout"]),
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
    """The parameters of `trainer fit`."""
    recipe, fit = Recipe(), settings.FitSettings()
    return {
        "learning_rate": fit.learning_rate,
        "batch_size": recipe.batch_size,
        "hidden": fit.head.hidden,
        "dropout": fit.head.dropout,
        "weight_decay": fit.weight_decay,
        "mixup_alpha": fit.mixup_alpha,
        "augmentation": "default",
        "copies": recipe.copies,
        "repeats": recipe.repeats,
        "thawed_blocks": settings.Thawing().blocks,
    }


@dataclass(frozen=True, slots=True)
class TrainingSets:
    """The training sets of a table of clips, each made once for all recipes that can share it."""

    table: ClipTable
    backbone: backbones.Backbone
    cache: EmbeddingCache
    _made: dict[tuple[Augmentation, int], TrainingSet] = field(default_factory=dict)

    def of(self, recipe: Recipe) -> TrainingSet:
        """The training set of a recipe; all recipes must share activation, background and seed.

        Raises:
            DataError, BackboneError: see `make_training_set`.
        """
        key = recipe.augmentation, recipe.copies
        if key not in self._made:
            with clips_bar() as report:
                training_set = make_training_set(
                    self.table, self.backbone, self.cache, recipe, report
                )
            self._made[key] = training_set
        return replace(self._made[key], repeats=recipe.repeats)


@dataclass(frozen=True, slots=True)
class HeldOutFolds:
    """An `Objective`: the mean clip accuracy, [0, 1], over the folds, each held out of its training.

    As in `trainer fit`, training stops by a validation fold: the one after the held-out fold.
    """

    folds: tuple[int, ...]
    base: Recipe
    training_sets: TrainingSets

    def __call__(self, trial: optuna.Trial) -> float:
        """Train and test, fold by fold.

        Raises:
            TrialPruned: it does worse than half of the others, or its training diverged.
            DataError, BackboneError: see `make_training_set` and `train`.
        """
        recipe = make_recipe(trial.params, self.base)
        training_set = self.training_sets.of(recipe)
        test = partial(self._test, trial, training_set, recipe)
        return mean_over_folds(trial, self.folds, test)

    def _test(
        self, trial: optuna.Trial, training_set: TrainingSet, recipe: Recipe, held_out: int
    ) -> float:
        others = tuple(fold for fold in self.folds if fold != held_out)
        validation = None
        if len(self.folds) >= _MIN_FOLDS_TO_VALIDATE:
            validation = self.folds[(self.folds.index(held_out) + 1) % len(self.folds)]
        parts = split(training_set, others, validation)
        try:
            trained = train(parts, self.training_sets.backbone, recipe, _no_progress)
        except FitError as error:
            trial.set_user_attr(DIVERGED, str(error))
            raise optuna.TrialPruned from error
        tested = training_set.in_folds(held_out)
        return clip_accuracy(
            trained, tested.clips if trained.thawed is None else tested.clips_as_log_mel()
        )


@contextlib.contextmanager
def _no_progress(_what: str, _epochs: int) -> Iterator[progress.OnEpoch]:
    """Log nothing: a search trains many times."""
    yield lambda _epoch: None


def make_space(most_thawed: int) -> Space:
    """The range of every parameter; thawed blocks of YAMNet are one if `most_thawed` is not 0."""
    space: dict[str, distributions.BaseDistribution] = {
        "learning_rate": distributions.FloatDistribution(2e-4, 2e-2, log=True),
        "batch_size": distributions.CategoricalDistribution((64, 128, 256, 512)),
        "hidden": distributions.CategoricalDistribution((0, 128, 512)),
        "dropout": distributions.FloatDistribution(0.0, 0.5, step=0.1),
        "weight_decay": distributions.FloatDistribution(1e-3, 3e-1, log=True),
        "mixup_alpha": distributions.FloatDistribution(0.0, 0.4, step=0.1),
        "augmentation": distributions.CategoricalDistribution(tuple(AUGMENTATIONS)),
        "copies": distributions.IntDistribution(0, 3),
        "repeats": distributions.IntDistribution(1, 8, log=True),
    }
    if most_thawed:
        space["thawed_blocks"] = distributions.IntDistribution(0, most_thawed)
    return space


def make_grid(seed: int) -> tuple[Params, ...]:
    """All points of the grid, shuffled, so that the first few are spread over it."""
    points = [
        default_params() | dict(zip(_GRID, values, strict=True))
        for values in itertools.product(*_GRID.values())
    ]
    order = np.random.default_rng(seed).permutation(len(points))
    return tuple(points[index] for index in order)
