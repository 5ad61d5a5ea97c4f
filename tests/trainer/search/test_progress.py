"""One line for each trial: how it did, the best so far, the time left."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from trainer.search.objective import make_space
from trainer.search.progress import TrialLines, write_plots
from trainer.search.storage import open_study
from trainer.search.trials import DIVERGED, SLOT
from trainer.search.worker import Worker, make_plan

LOGGER = "trainer.search.progress"


def start_trial(study: optuna.Study, slot: int) -> optuna.Trial:
    study.enqueue_trial({}, user_attrs={SLOT: slot})
    return study.ask()


def test_each_trial_has_a_line(caplog: pytest.LogCaptureFixture):
    """Ten seconds a trial: after the second of four, twenty are left."""
    caplog.set_level(logging.INFO, LOGGER)
    study = open_study(InMemoryStorage(), "lines", {})
    times = iter([0.0, 10.0, 20.0, 30.0])
    lines = TrialLines(study, count=4, fold_count=5, clock=lambda: next(times))
    lines(study.tell(start_trial(study, 0), 0.975))
    pruned = start_trial(study, 1)
    pruned.report(0.2, 0)
    pruned.report(0.36, 1)
    lines(study.tell(pruned, state=TrialState.PRUNED))
    diverged = start_trial(study, 2)
    diverged.set_user_attr(DIVERGED, "epoch 1: the loss is nan")
    lines(study.tell(diverged, state=TrialState.PRUNED))
    lines(study.tell(start_trial(study, 3), 1.0))
    assert [r.getMessage() for r in caplog.records if r.name == LOGGER] == [
        "trial 1 of 4: 97.5 %; best 97.5 % (trial 1); 0:00:30 left",
        "trial 2 of 4: 90.0 % after 2 of 5 folds, pruned; best 97.5 % (trial 1); 0:00:20 left",
        "trial 3 of 4: epoch 1: the loss is nan; best 97.5 % (trial 1); 0:00:10 left",
        "trial 4 of 4: 100.0 %; best 100.0 % (trial 4)",
    ]


ALL = ["history.png", "importances.png", "parallel.png", "slice.png"]


@pytest.mark.parametrize(
    ("count", "value_of", "names"),
    [
        (1, lambda _params: 0.9, ["history.png"]),
        (3, lambda _params: 1.0, ["history.png"]),
        (4, lambda params: 1.0 - params["dropout"], ALL),
    ],
)
def test_the_plots_of_a_study(
    tmp_path: Path, count: int, value_of: Callable[[dict[str, float]], float], names: list[str]
):
    study = open_study(InMemoryStorage(), "plots", {})
    plan = make_plan("random", count, make_space(0), seed=0)
    objective: Callable[[optuna.Trial], float] = lambda trial: value_of(trial.params)  # noqa: E731
    Worker(study, plan, objective, 60.0).run(lambda _trial: None)
    write_plots(study, tmp_path / "plots")
    written = sorted((tmp_path / "plots").iterdir())
    assert [path.name for path in written] == names
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
