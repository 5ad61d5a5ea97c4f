"""Which slots are open, and which of several trials in one slot counts."""

from __future__ import annotations

from datetime import datetime

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from trainer.search.trials import (
    SLOT,
    WORKER,
    finished,
    first_open_slot,
    has_waiting,
    is_surplus,
    params_to_resume,
)

COMPLETE, PRUNED, FAIL, RUNNING, WAITING = (
    TrialState.COMPLETE,
    TrialState.PRUNED,
    TrialState.FAIL,
    TrialState.RUNNING,
    TrialState.WAITING,
)


def make_trials(*states: tuple[int | None, TrialState]) -> list[FrozenTrial]:
    """Trials in these slots, numbered from 0."""
    return [
        FrozenTrial(
            number=number,
            state=state,
            value=1.0 if state == COMPLETE else None,
            datetime_start=None if state == WAITING else datetime(2026, 1, 1),  # noqa: DTZ001 - as in Optuna
            datetime_complete=datetime(2026, 1, 1) if state.is_finished() else None,  # noqa: DTZ001
            params={},
            distributions={},
            user_attrs={} if slot is None else {SLOT: slot},
            system_attrs={},
            intermediate_values={},
            trial_id=number,
        )
        for number, (slot, state) in enumerate(states)
    ]


def test_complete_and_pruned_trials_are_finished():
    trials = make_trials((0, COMPLETE), (1, PRUNED), (2, FAIL), (3, RUNNING), (4, COMPLETE))
    assert [t.number for t in finished(trials, 4)] == [0, 1]
    assert [t.number for t in finished(trials, 5)] == [0, 1, 4]


@pytest.mark.parametrize(
    ("states", "slot"),
    [
        ([], 0),
        ([(0, COMPLETE), (1, RUNNING)], 2),
        ([(0, COMPLETE), (1, FAIL), (2, RUNNING)], 1),
        ([(0, COMPLETE), (1, FAIL), (2, RUNNING), (1, WAITING)], None),
        ([(0, COMPLETE), (1, PRUNED), (2, WAITING)], None),
        ([(None, FAIL)], 0),
    ],
)
def test_a_slot_is_open_until_it_has_a_trial_that_has_not_failed(states, slot):
    assert first_open_slot(make_trials(*states), 3) == slot


def test_only_trials_within_the_count_are_waited_for():
    trials = make_trials((0, COMPLETE), (4, WAITING))
    assert has_waiting(trials, 5)
    assert not has_waiting(trials, 4)


@pytest.mark.parametrize("state", [WAITING, RUNNING, COMPLETE, PRUNED])
def test_of_two_trials_in_one_slot_the_first_counts(state: TrialState):
    trials = make_trials((0, state), (0, RUNNING))
    assert not is_surplus(0, trials)
    assert is_surplus(1, trials)


def test_a_trial_after_a_failed_one_counts():
    assert not is_surplus(1, make_trials((0, FAIL), (0, RUNNING), (1, RUNNING)))


def test_a_trial_without_a_slot_is_surplus():
    assert is_surplus(0, make_trials((None, RUNNING)))


def test_a_trial_is_resumed_with_the_parameters_of_the_started_one():
    """The second was surplus: it has parameters too, but was never started."""
    started, surplus = make_trials((0, FAIL), (0, FAIL))
    for trial, x in ((started, 0.25), (surplus, 0.5)):
        trial.distributions = {"x": FloatDistribution(0.0, 1.0)}
        trial.params = {"x": x}
    started.user_attrs[WORKER] = "host:1"
    assert params_to_resume([started, surplus], 0) == {"x": 0.25}
    assert params_to_resume([surplus], 0) is None
    assert params_to_resume([started, surplus], 1) is None
