"""What a person sees of a search: one line for each trial."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import matplotlib as mpl
import optuna
from matplotlib import pyplot as plt
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as pictures

from trainer.search.objective import ASTRAY
from trainer.search.trials import PLACE, finished

log = logging.getLogger(__name__)

_LEAST_TRIALS = 2  # complete ones, of different values, before parameters can be compared
_DOTS_PER_INCH = 120


class TrialLines:
    """Lines on the trials of this process; the time left is at the pace of all processes together."""

    def __init__(
        self,
        study: optuna.Study,
        count: int,
        fold_count: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._study, self._count, self._fold_count, self._clock = study, count, fold_count, clock
        self._began, self._done_before = clock(), self._done()

    def __call__(self, trial: FrozenTrial) -> None:
        """The line of a trial that has ended."""
        parts = [self._outcome(trial), *self._best(), *self._left()]
        log.info("trial %d of %d: %s", _number(trial), self._count, "; ".join(parts))

    def _outcome(self, trial: FrozenTrial) -> str:
        if trial.state == TrialState.COMPLETE:
            return f"{100 * trial.values[0]:.1f} %"
        if ASTRAY in trial.user_attrs:
            return str(trial.user_attrs[ASTRAY])
        folds = len(trial.intermediate_values)
        mean = trial.intermediate_values[folds - 1] * self._fold_count / folds
        return f"{100 * mean:.1f} % after {folds} of {self._fold_count} folds, given up"

    def _best(self) -> list[str]:
        best = best_of(self._study)
        return [f"best {100 * best.values[0]:.1f} % (trial {_number(best)})"] if best else []

    def _left(self) -> list[str]:
        done = self._done()
        new = done - self._done_before
        if not new or done >= self._count:
            return []
        seconds = (self._clock() - self._began) / new * (self._count - done)
        return [f"{timedelta(seconds=round(seconds))} left"]

    def _done(self) -> int:
        return len(finished(self._study.get_trials(deepcopy=False), self._count))


def best_of(study: optuna.Study) -> FrozenTrial | None:
    """The trial with the highest accuracy, of several the first; None if none came to its end."""
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max(ended, key=lambda trial: (trial.values[0], -trial.number), default=None)


def _number(trial: FrozenTrial) -> int:
    """For people, from 1; a trial that was tried again has the number of the first try."""
    return int(trial.user_attrs[PLACE]) + 1


# Pictures of a search.


# functions of Optuna that draw on the current figure of pyplot
_PLOTS: dict[str, Callable[[optuna.Study], object]] = {
    "history": pictures.plot_optimization_history,
    "importances": lambda study: pictures.plot_param_importances(
        study, evaluator=PedAnovaImportanceEvaluator()
    ),
    "slice": pictures.plot_slice,
    "parallel": pictures.plot_parallel_coordinate,
}


def write_plots(study: optuna.Study, folder: Path) -> None:
    """`history.png`, and once there are trials to compare, how the accuracy goes with the parameters."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(_PLOTS) if _comparable(study) else ["history"]
    with mpl.rc_context({"backend": "Agg"}), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        for name in names:
            _write(study, folder / f"{name}.png", _PLOTS[name])


def _comparable(study: optuna.Study) -> bool:
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return len({trial.values[0] for trial in complete}) >= _LEAST_TRIALS


def _write(study: optuna.Study, path: Path, plot: Callable[[optuna.Study], object]) -> None:
    try:
        plot(study)
        plt.gcf().savefig(path, dpi=_DOTS_PER_INCH, bbox_inches="tight")
    finally:
        plt.close("all")
