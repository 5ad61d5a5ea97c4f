"""Which places are open, and which of several trials for one place counts."""

from __future__ import annotations

from datetime import datetime

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from trainer.search.trials import (
    PLACE,
    WORKER,
    finished,
    first_open,
    is_surplus,
    params_to_resume,
    waiting,
)

COMPLETE, PRUNED, FAIL, RUNNING, WAITING = (
    TrialState.COMPLETE,
    TrialState.PRUNED,
    TrialState.FAIL,
    TrialState.RUNNING,
    TrialState.WAITING,
)


def make_trials(*states: tuple[int | None, TrialState]) -> list[FrozenTrial]:
    """Trials for these places, numbered from 0."""
    return [
        FrozenTrial(
            number=number,
            state=state,
            value=1.0 if state == COMPLETE else None,
            datetime_start=None if state == WAITING else datetime(2026, 1, 1),  # noqa: DTZ001 - as Optuna has it
            datetime_complete=datetime(2026, 1, 1) if state.is_finished() else None,  # noqa: DTZ001
            params={},
            distributions={},
            user_attrs={} if place is None else {PLACE: place},
            system_attrs={},
            intermediate_values={},
            trial_id=number,
        )
        for number, (place, state) in enumerate(states)
    ]


def test_complete_and_pruned_trials_are_finished():
    trials = make_trials((0, COMPLETE), (1, PRUNED), (2, FAIL), (3, RUNNING), (4, COMPLETE))
    assert [t.number for t in finished(trials, 4)] == [0, 1]
    assert [t.number for t in finished(trials, 5)] == [0, 1, 4]


@pytest.mark.parametrize(
    ("states", "place"),
    [
        ([], 0),
        ([(0, COMPLETE), (1, RUNNING)], 2),
        ([(0, COMPLETE), (1, FAIL), (2, RUNNING)], 1),
        ([(0, COMPLETE), (1, FAIL), (2, RUNNING), (1, WAITING)], None),
        ([(0, COMPLETE), (1, PRUNED), (2, WAITING)], None),
        ([(None, FAIL)], 0),
    ],
)
def test_a_place_is_open_until_a_trial_for_it_has_not_failed(states, place):
    assert first_open(make_trials(*states), 3) == place


def test_only_trials_within_the_count_are_waited_for():
    trials = make_trials((0, COMPLETE), (4, WAITING))
    assert waiting(trials, 5)
    assert not waiting(trials, 4)


@pytest.mark.parametrize("state", [WAITING, RUNNING, COMPLETE, PRUNED])
def test_of_two_trials_for_one_place_the_first_counts(state: TrialState):
    trials = make_trials((0, state), (0, RUNNING))
    assert not is_surplus(0, trials)
    assert is_surplus(1, trials)


def test_a_trial_after_one_that_failed_counts():
    assert not is_surplus(1, make_trials((0, FAIL), (0, RUNNING), (1, RUNNING)))


def test_a_trial_without_a_place_is_surplus():
    assert is_surplus(0, make_trials((None, RUNNING)))


def test_a_trial_is_resumed_with_the_parameters_of_the_one_that_was_begun():
    """The second was surplus: it has parameters, too, but nobody began it."""
    begun, surplus = make_trials((0, FAIL), (0, FAIL))
    for trial, x in ((begun, 0.25), (surplus, 0.5)):
        trial.distributions = {"x": FloatDistribution(0.0, 1.0)}
        trial.params = {"x": x}
    begun.user_attrs[WORKER] = "host:1"
    assert params_to_resume([begun, surplus], 0) == {"x": 0.25}
    assert params_to_resume([surplus], 0) is None
    assert params_to_resume([begun, surplus], 1) is None
