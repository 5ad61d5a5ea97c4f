"""Pictures of a search."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import optuna
from matplotlib import pyplot as plt
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import TrialState
from optuna.visualization import matplotlib as pictures

_LEAST_TRIALS = 2  # complete ones, of different values, before parameters can be compared
_DOTS_PER_INCH = 120

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
