"""What a person sees of a search: one line for each trial."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta

import optuna
from optuna.trial import FrozenTrial, TrialState

from trainer.search.held_out import ASTRAY
from trainer.search.places import PLACE, finished

log = logging.getLogger(__name__)


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
