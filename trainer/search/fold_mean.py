"""The value of a trial: the mean over the folds, given up where it is not worth its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import optuna


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
