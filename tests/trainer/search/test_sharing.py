"""Processes that share a study through a journal or a database end with exactly the trials asked for."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.rigs.postgres import postgres
from tests.trainer.search.studies import (
    Participant,
    assert_every_place_has_one_end,
    read_trials,
)
from trainer.search.trials import PLACE, WORKER

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


def test_processes_that_begin_at_once_make_one_study(address: str):
    with (
        Participant(address, COUNT) as first,
        Participant(address, COUNT) as second,
        Participant(address, COUNT) as third,
    ):
        assert [each.wait() for each in (first, second, third)] == [0, 0, 0]
    assert_every_place_has_one_end(read_trials(address), COUNT)


def test_a_trial_of_a_killed_process_is_tried_again_with_its_parameters(address: str):
    with Participant(address, COUNT, hold=True) as killed:
        params = killed.held_params()
        with Participant(address, COUNT) as first, Participant(address, COUNT) as second:
            killed.signal(signal.SIGKILL)
            assert [first.wait(), second.wait()] == [0, 0]
    trials = read_trials(address)
    assert_every_place_has_one_end(trials, COUNT)
    begun = [t for t in trials if WORKER in t.user_attrs and t.params == params]
    failed, again = begun
    assert (failed.state, again.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert again.user_attrs[PLACE] == failed.user_attrs[PLACE]
