"""One line for each trial: how it did, the best so far, the time left."""

from __future__ import annotations

import logging

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from trainer.search.held_out import ASTRAY
from trainer.search.places import PLACE
from trainer.search.progress import TrialLines
from trainer.search.study import open_study

LOGGER = "trainer.search.progress"


def begin(study: optuna.Study, place: int) -> optuna.Trial:
    study.enqueue_trial({}, user_attrs={PLACE: place})
    return study.ask()


def test_lines_of_trials(caplog: pytest.LogCaptureFixture):
    """Ten seconds a trial: the second of four leaves two to go."""
    caplog.set_level(logging.INFO, LOGGER)
    study = open_study(InMemoryStorage(), "lines", {})
    times = iter([0.0, 10.0, 20.0, 30.0])
    lines = TrialLines(study, count=4, fold_count=5, clock=lambda: next(times))
    lines(study.tell(begin(study, 0), 0.975))
    pruned = begin(study, 1)
    pruned.report(0.2, 0)
    pruned.report(0.36, 1)
    lines(study.tell(pruned, state=TrialState.PRUNED))
    astray = begin(study, 2)
    astray.set_user_attr(ASTRAY, "epoch 1: the loss is nan")
    lines(study.tell(astray, state=TrialState.PRUNED))
    lines(study.tell(begin(study, 3), 1.0))
    assert [r.getMessage() for r in caplog.records if r.name == LOGGER] == [
        "trial 1 of 4: 97.5 %; best 97.5 % (trial 1); 0:00:30 left",
        "trial 2 of 4: 90.0 % after 2 of 5 folds, given up; best 97.5 % (trial 1); 0:00:20 left",
        "trial 3 of 4: epoch 1: the loss is nan; best 97.5 % (trial 1); 0:00:10 left",
        "trial 4 of 4: 100.0 %; best 100.0 % (trial 4)",
    ]
