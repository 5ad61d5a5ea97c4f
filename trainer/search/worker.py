"""One process of a search: takes trials until all places have a finished one."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from trainer.search.heartbeat import Watch, beating
from trainer.search.places import (
    PLACE,
    WORKER,
    finished,
    first_open,
    is_surplus,
    params_to_resume,
    waiting,
)
from trainer.search.plan import Plan

_POLLS_IN_A_GRACE = 10

# a running trial -> its value, more is better; TrialPruned for one that is not worth its end
Objective = Callable[[optuna.Trial], float]
OnEnd = Callable[[FrozenTrial], None]  # what to do when a trial of this process is finished

log = logging.getLogger(__name__)


class Worker:
    """Runs trials of a study by a plan; any number of workers, anywhere, may share the study.

    A trial whose process shows no sign of life for the grace is tried again by one of the others, with
    the same parameters.
    """

    def __init__(
        self, study: optuna.Study, plan: Plan, objective: Objective, grace_seconds: float
    ) -> None:
        self._study, self._plan, self._objective = study, plan, objective
        self._grace = grace_seconds
        self._watch = Watch(grace_seconds)
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    def run(self, on_end: OnEnd) -> None:
        """Until every place has a finished trial, also those that others run."""
        while len(finished(trials := self._trials(), self._plan.count)) < self._plan.count:
            for trial in self._watch.silent(trials):
                self._give_up(trial)
            if not self._take(on_end):
                # a storage tells nobody that a trial of somebody else has ended
                time.sleep(self._grace / _POLLS_IN_A_GRACE)

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _give_up(self, trial: FrozenTrial) -> None:
        """Its place is open again. Of several workers that notice it at once, none does harm."""
        log.warning("%s is silent: its trial is tried again", trial.user_attrs.get(WORKER, "?"))
        try:
            self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        except UpdateFinishedTrialError:
            log.info("another one was first to notice")

    def _take(self, on_end: OnEnd) -> bool:
        """Run one trial, if there is one to run."""
        trials = self._trials()
        if not waiting(trials, self._plan.count):
            place = first_open(trials, self._plan.count)
            if place is None:
                return False
            self._announce(place, trials)
        self._study.sampler = self._plan.make_sampler(len(trials))
        trial = self._study.ask(dict(self._plan.space))
        if is_surplus(trial.number, self._trials()):
            self._study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
        else:
            self._run(trial, on_end)
        return True

    def _announce(self, place: int, trials: Sequence[FrozenTrial]) -> None:
        resumed = params_to_resume(trials, place)
        params = self._plan.first_params(place) if resumed is None else resumed
        self._study.enqueue_trial(dict(params), user_attrs={PLACE: place})

    def _run(self, trial: optuna.Trial, on_end: OnEnd) -> None:
        try:
            trial.set_user_attr(WORKER, self._name)
            with beating(trial, self._grace):
                value = self._objective(trial)
        except optuna.TrialPruned:
            self._end(trial, None, TrialState.PRUNED, on_end)
        except UpdateFinishedTrialError:
            _log_loss(trial)
        except BaseException:
            # somebody may take it up at once
            self._study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise
        else:
            self._end(trial, value, TrialState.COMPLETE, on_end)

    def _end(
        self, trial: optuna.Trial, value: float | None, state: TrialState, on_end: OnEnd
    ) -> None:
        try:
            ended = self._study.tell(trial, value, state, skip_if_finished=True)
        except UpdateFinishedTrialError:
            _log_loss(trial)
            return
        if ended.state == state:
            on_end(ended)
        else:
            _log_loss(trial)


def _log_loss(trial: optuna.Trial) -> None:
    log.warning("trial %d was taken over by another process meanwhile", trial.number)
