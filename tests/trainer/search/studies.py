"""Studies with an arithmetic objective, and a process that takes part in one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

import optuna
from optuna.distributions import FloatDistribution
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState

from tests.shared import ROOT
from trainer.search.storage import open_storage, open_study
from trainer.search.trials import SLOT
from trainer.search.worker import Plan, Worker

NAME = "arithmetic"
GRACE_SECONDS = 1.0


def make_plan(count: int) -> Plan:
    """Draws `x` in [0, 1]."""
    return Plan(
        count,
        {"x": FloatDistribution(0.0, 1.0)},
        lambda _slot: {},
        lambda n: RandomSampler(seed=n),
    )


@contextmanager
def open_arithmetic(address: str) -> Iterator[optuna.Study]:
    with open_storage(address) as storage:
        yield open_study(storage, NAME, {"data": "none"})


def read_trials(address: str) -> list[FrozenTrial]:
    with open_arithmetic(address) as study:
        return study.get_trials()


def assert_every_slot_has_one_finished_trial(trials: Sequence[FrozenTrial], count: int) -> None:
    done = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert Counter(t.user_attrs[SLOT] for t in done) == dict.fromkeys(range(count), 1)


class Participant:
    """A process that runs trials; with `hold`, it prints its first trial's parameters and waits there."""

    def __init__(self, address: str, count: int, *, hold: bool = False) -> None:
        command = [sys.executable, "-m", __name__, address, str(count), *["hold"] * hold]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def held_params(self) -> dict[str, float]:
        """The parameters of the trial that it holds, as soon as it does."""
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        return self._process.wait(60)

    def __enter__(self) -> Participant:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def main(address: str, count: str, *hold: str) -> None:
    def objective(trial: optuna.Trial) -> float:
        if hold:
            sys.stdout.write(json.dumps(trial.params) + "\n")
            sys.stdout.flush()
            sys.stdin.read()
        trial.report(trial.params["x"], 0)
        return float(trial.params["x"])

    with open_arithmetic(address) as study:
        worker = Worker(study, make_plan(int(count)), objective, GRACE_SECONDS)
        worker.run(lambda _trial: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
