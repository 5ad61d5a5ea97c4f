"""One worker by itself: how trials end, and what a study has in the end."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from tests.trainer.search.studies import NAME, assert_every_place_has_one_end, make_plan
from trainer.search.storage import open_study
from trainer.search.trials import PLACE, WORKER
from trainer.search.worker import Objective, Plan, Worker


@pytest.fixture
def study() -> optuna.Study:
    return open_study(InMemoryStorage(), NAME, {})


def run(study: optuna.Study, objective: Objective, plan: Plan) -> list[FrozenTrial]:
    """The trials that it ended."""
    ended: list[FrozenTrial] = []
    Worker(study, plan, objective, grace_seconds=60.0).run(ended.append)
    return ended


def x_of(trial: optuna.Trial) -> float:
    return float(trial.params["x"])


def test_a_study_goes_on_to_the_trials_asked_for_in_all(study: optuna.Study):
    assert [t.user_attrs[PLACE] for t in run(study, x_of, make_plan(3))] == [0, 1, 2]
    assert [t.user_attrs[PLACE] for t in run(study, x_of, make_plan(5))] == [3, 4]
    assert run(study, x_of, make_plan(4)) == []
    assert_every_place_has_one_end(study.trials, 5)


def test_a_pruned_trial_is_a_finished_one(study: optuna.Study):
    def objective(trial: optuna.Trial) -> float:
        if trial.user_attrs[PLACE] == 1:
            raise optuna.TrialPruned
        return x_of(trial)

    ended = run(study, objective, make_plan(3))
    assert [t.state.name for t in ended] == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert len(study.trials) == 3


def test_a_trial_that_an_error_ended_is_tried_again_with_its_parameters(study: optuna.Study):
    def broken(_trial: optuna.Trial) -> float:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        run(study, broken, make_plan(2))
    run(study, x_of, make_plan(2))
    failed, again, _other = study.trials
    assert (failed.state, again.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert again.params == failed.params
    assert again.user_attrs[PLACE] == failed.user_attrs[PLACE] == 0
    assert failed.user_attrs[WORKER] == again.user_attrs[WORKER]


@pytest.mark.parametrize("reports", [True, False])
def test_a_trial_that_others_took_for_dead_does_not_count(study: optuna.Study, reports: bool):
    """As of a process that was only asleep: it finds out by its next report, or at the end."""

    def objective(trial: optuna.Trial) -> float:
        if trial.number == 0:
            study.tell(trial.number, state=TrialState.FAIL)
            if reports:
                trial.report(1.0, 0)
        return x_of(trial)

    ended = run(study, objective, make_plan(2))
    assert [t.number for t in ended] == [1, 2]
    assert_every_place_has_one_end(study.trials, 2)
    assert ended[0].params == study.trials[0].params


def test_the_first_parameters_are_those_of_the_plan(study: optuna.Study):
    plan = Plan(
        2,
        {"x": FloatDistribution(0.0, 1.0)},
        lambda place: {"x": place / 4},
        lambda _n: RandomSampler(),
    )
    assert [t.values for t in run(study, x_of, plan)] == [[0.0], [0.25]]


def test_one_seed_gives_one_search_of_different_trials():
    values = []
    for _ in range(2):
        study = open_study(InMemoryStorage(), NAME, {})
        values.append([t.values[0] for t in run(study, x_of, make_plan(4))])
    assert values[0] == values[1]
    assert len(set(values[0])) == 4
