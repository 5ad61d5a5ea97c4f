"""One process of a search: runs trials until every slot has a finished one."""

import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from trainer.config import Sampler
from trainer.search import storage
from trainer.search import trials as slots
from trainer.search.objective import Space, default_params, make_grid
from trainer.search.trials import SLOT, WORKER, Params

log = logging.getLogger(__name__)

_POLLS_PER_GRACE = 10

# a running trial -> its value, more is better; TrialPruned for one that is not worth finishing
Objective = Callable[[optuna.Trial], float]
OnEnd = Callable[[FrozenTrial], None]  # called when a trial of this process is finished


@dataclass(frozen=True, slots=True)
class Plan:
    """`count` trials in `space`.

    `first_params` gives the parameters of a slot that are not drawn, `make_sampler` draws the others. It
    gets the number of trials so far, so that processes with one seed draw different ones.
    """

    count: int
    space: Space
    first_params: Callable[[int], Params]
    make_sampler: Callable[[int], BaseSampler]


def make_plan(sampler: Sampler, count: int, space: Space, seed: int) -> Plan:
    """A grid gives all parameters; else the first trial has the defaults of `trainer fit`."""
    if sampler == "grid":
        grid = make_grid(seed)
        if count > len(grid):
            log.info("the grid has %d points: that many trials", len(grid))
            count = len(grid)
        return Plan(
            count,
            space,
            first_params=lambda slot: grid[slot],
            make_sampler=lambda so_far: RandomSampler(seed=_mix(seed, so_far)),
        )
    make = TPESampler if sampler == "tpe" else RandomSampler
    return Plan(
        count,
        space,
        first_params=lambda slot: {} if slot else default_params(),
        make_sampler=lambda so_far: make(seed=_mix(seed, so_far)),
    )


def _mix(seed: int, so_far: int) -> int:
    return seed * 1_000_003 + so_far & 0xFFFFFFFF  # Optuna's samplers take 32 bits


class Worker:
    """Runs trials of a study by a plan; any number of workers, anywhere, may share the study.

    A trial whose process has sent no heartbeat for the grace is run again by another worker, with the
    same parameters.
    """

    def __init__(
        self, study: optuna.Study, plan: Plan, objective: Objective, grace_seconds: float
    ) -> None:
        self._study, self._plan, self._objective = study, plan, objective
        self._grace_seconds = grace_seconds
        self._monitor = storage.HeartbeatMonitor(grace_seconds)
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    def run(self, on_end: OnEnd) -> None:
        """Until every slot has a finished trial, including those of other workers."""
        count = self._plan.count
        while len(slots.finished(trials := self._trials(), count)) < count:
            for trial in self._monitor.silent(trials):
                log.warning("%s is silent: its trial runs again", trial.user_attrs.get(WORKER, "?"))
                try:  # the failed trial's slot is open again
                    self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
                except UpdateFinishedTrialError:
                    log.info("another worker was first to notice")
            if not self._run_next(on_end):
                # a storage does not notify when another worker's trial ends
                time.sleep(self._grace_seconds / _POLLS_PER_GRACE)

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _run_next(self, on_end: OnEnd) -> bool:
        """Run one trial; False if there is none to run."""
        trials = self._trials()
        if not slots.has_waiting(trials, self._plan.count):
            slot = slots.first_open_slot(trials, self._plan.count)
            if slot is None:
                return False
            params = slots.params_to_resume(trials, slot)
            if params is None:
                params = self._plan.first_params(slot)
            self._study.enqueue_trial(dict(params), user_attrs={SLOT: slot})
        self._study.sampler = self._plan.make_sampler(len(trials))
        try:
            trial = self._study.ask(dict(self._plan.space))
        except UpdateFinishedTrialError:
            # SQLite has no row locks: another worker took the same waiting trial and has finished it
            return True
        if slots.is_surplus(trial.number, self._trials()):
            self._study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
        else:
            self._run(trial, on_end)
        return True

    def _run(self, trial: optuna.Trial, on_end: OnEnd) -> None:
        value: float | None = None
        state = TrialState.COMPLETE
        ended: FrozenTrial | None
        try:
            try:
                trial.set_user_attr(WORKER, self._name)
                with storage.heartbeats(trial, self._grace_seconds):
                    value = self._objective(trial)
            except optuna.TrialPruned:
                state = TrialState.PRUNED
            ended = self._study.tell(trial, value, state, skip_if_finished=True)
        except UpdateFinishedTrialError:
            ended = None
        except BaseException:
            # another worker may run it at once
            self._study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise
        if ended is not None and ended.state == state:
            on_end(ended)
        else:
            log.warning("trial %d was taken over by another process meanwhile", trial.number)
