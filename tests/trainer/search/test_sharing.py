"""Processes that share a study in a journal or a database run exactly the requested trials."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.rigs.postgres import postgres
from tests.trainer.search.studies import (
    Participant,
    assert_every_slot_has_one_finished_trial,
    read_trials,
)
from trainer.search.trials import SLOT, WORKER

COUNT = 5


@pytest.fixture(params=["journal", "sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgresql":
        with postgres() as url:
            yield url
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/study.db"
    else:
        yield f"{tmp_path}/study.journal"


def test_processes_that_start_at_once_create_one_study(address: str):
    with (
        Participant(address, COUNT) as first,
        Participant(address, COUNT) as second,
        Participant(address, COUNT) as third,
    ):
        assert [each.wait() for each in (first, second, third)] == [0, 0, 0]
    assert_every_slot_has_one_finished_trial(read_trials(address), COUNT)


def test_a_trial_of_a_killed_process_runs_again_with_its_parameters(address: str):
    with Participant(address, COUNT, hold=True) as killed:
        params = killed.held_params()
        with Participant(address, COUNT) as first, Participant(address, COUNT) as second:
            killed.signal(signal.SIGKILL)
            assert [first.wait(), second.wait()] == [0, 0]
    trials = read_trials(address)
    assert_every_slot_has_one_finished_trial(trials, COUNT)
    failed, again = (t for t in trials if WORKER in t.user_attrs and t.params == params)
    assert (failed.state, again.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert again.user_attrs[SLOT] == failed.user_attrs[SLOT]
