"""One process of a search: takes trials until all places have a finished one."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from trainer.config import Sampler
from trainer.search.objective import Space, default_params, make_grid
from trainer.search.storage import Watch, beating
from trainer.search.trials import (
    PLACE,
    WORKER,
    Params,
    finished,
    first_open,
    is_surplus,
    params_to_resume,
    waiting,
)

log = logging.getLogger(__name__)

_POLLS_IN_A_GRACE = 10


# Which trials a search wants: how many, where their parameters come from.


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


# a running trial -> its value, more is better; TrialPruned for one that is not worth its end
Objective = Callable[[optuna.Trial], float]
OnEnd = Callable[[FrozenTrial], None]  # what to do when a trial of this process is finished


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
