"""What a user sees of a search: one log line for each trial, and plots of the study."""

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
from optuna.visualization import matplotlib as plots

from trainer.search.trials import DIVERGED, SLOT, finished

log = logging.getLogger(__name__)

_MIN_VALUES = 2  # different ones, before parameters can be compared
_DOTS_PER_INCH = 120
# functions of Optuna that draw on the current figure of pyplot
_PLOTS: dict[str, Callable[[optuna.Study], object]] = {
    "history": plots.plot_optimization_history,
    "importances": lambda study: plots.plot_param_importances(
        study, evaluator=PedAnovaImportanceEvaluator()
    ),
    "slice": plots.plot_slice,
    "parallel": plots.plot_parallel_coordinate,
}


class TrialLines:
    """Logs the trials of this process; the time left is at the rate of all processes together."""

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
        """Log a trial that has ended."""
        parts = [self._outcome(trial)]
        best = best_of(self._study)
        if best is not None:
            parts.append(f"best {100 * best.values[0]:.1f} % (trial {_number(best)})")
        done = self._done()
        new = done - self._done_before
        if new and done < self._count:
            seconds = (self._clock() - self._began) / new * (self._count - done)
            parts.append(f"{timedelta(seconds=round(seconds))} left")
        log.info("trial %d of %d: %s", _number(trial), self._count, "; ".join(parts))

    def _done(self) -> int:
        return len(finished(self._study.get_trials(deepcopy=False), self._count))

    def _outcome(self, trial: FrozenTrial) -> str:
        if trial.state == TrialState.COMPLETE:
            return f"{100 * trial.values[0]:.1f} %"
        if DIVERGED in trial.user_attrs:
            return str(trial.user_attrs[DIVERGED])
        folds = len(trial.intermediate_values)
        mean = trial.intermediate_values[folds - 1] * self._fold_count / folds
        return f"{100 * mean:.1f} % after {folds} of {self._fold_count} folds, pruned"


def best_of(study: optuna.Study) -> FrozenTrial | None:
    """The complete trial with the highest accuracy, of several the first; None if none is complete."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max(complete, key=lambda trial: (trial.values[0], -trial.number), default=None)


def _number(trial: FrozenTrial) -> int:
    """For users, from 1; a trial that runs again keeps its number."""
    return int(trial.user_attrs[SLOT]) + 1


def write_plots(study: optuna.Study, folder: Path) -> None:
    """`history.png`, and once trials can be compared, the accuracy against the parameters."""
    folder.mkdir(parents=True, exist_ok=True)
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    comparable = len({trial.values[0] for trial in complete}) >= _MIN_VALUES
    with mpl.rc_context({"backend": "Agg"}), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        for name in _PLOTS if comparable else ["history"]:
            try:
                _PLOTS[name](study)
                plt.gcf().savefig(folder / f"{name}.png", dpi=_DOTS_PER_INCH, bbox_inches="tight")
            finally:
                plt.close("all")
