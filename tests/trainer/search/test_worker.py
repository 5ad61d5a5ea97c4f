"""One worker alone: how its trials end, and what the study then holds."""

from __future__ import annotations

from dataclasses import replace

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from tests.trainer.search.studies import NAME, assert_every_slot_has_one_finished_trial, make_plan
from trainer.search.storage import open_study
from trainer.search.trials import SLOT, WORKER
from trainer.search.worker import Objective, Plan, Worker


@pytest.fixture
def study() -> optuna.Study:
    return open_study(InMemoryStorage(), NAME, {})


def run(study: optuna.Study, objective: Objective, plan: Plan) -> list[FrozenTrial]:
    """The trials that the worker finished."""
    ended: list[FrozenTrial] = []
    Worker(study, plan, objective, grace_seconds=60.0).run(ended.append)
    return ended


def x_of(trial: optuna.Trial) -> float:
    return float(trial.params["x"])


def test_a_study_continues_up_to_the_total_number_of_trials(study: optuna.Study):
    assert [t.user_attrs[SLOT] for t in run(study, x_of, make_plan(3))] == [0, 1, 2]
    assert [t.user_attrs[SLOT] for t in run(study, x_of, make_plan(5))] == [3, 4]
    assert run(study, x_of, make_plan(4)) == []
    assert_every_slot_has_one_finished_trial(study.trials, 5)


def test_a_pruned_trial_is_finished(study: optuna.Study):
    def objective(trial: optuna.Trial) -> float:
        if trial.user_attrs[SLOT] == 1:
            raise optuna.TrialPruned
        return x_of(trial)

    ended = run(study, objective, make_plan(3))
    assert [t.state.name for t in ended] == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert len(study.trials) == 3


def test_a_trial_that_failed_runs_again_with_its_parameters(study: optuna.Study):
    def broken(_trial: optuna.Trial) -> float:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        run(study, broken, make_plan(2))
    run(study, x_of, make_plan(2))
    failed, again, _other = study.trials
    assert (failed.state, again.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert again.params == failed.params
    assert again.user_attrs[SLOT] == failed.user_attrs[SLOT] == 0
    assert failed.user_attrs[WORKER] == again.user_attrs[WORKER]


@pytest.mark.parametrize("reports", [True, False])
def test_a_trial_that_others_presumed_dead_does_not_count(study: optuna.Study, reports: bool):
    """As of a suspended process: it finds out by its next report, or at the end."""

    def objective(trial: optuna.Trial) -> float:
        if trial.number == 0:
            study.tell(trial.number, state=TrialState.FAIL)
            if reports:
                trial.report(1.0, 0)
        return x_of(trial)

    ended = run(study, objective, make_plan(2))
    assert [t.number for t in ended] == [1, 2]
    assert_every_slot_has_one_finished_trial(study.trials, 2)
    assert ended[0].params == study.trials[0].params


def test_a_waiting_trial_that_another_worker_has_finished_first(study: optuna.Study):
    """As with SQLite, which has no row locks: two workers may take the same trial."""

    class OthersFirst(RandomSampler):
        def sample_independent(
            self,
            study: optuna.Study,
            trial: FrozenTrial,
            param_name: str,
            param_distribution: BaseDistribution,
        ) -> object:
            if trial.number == 0:
                study.tell(trial.number, 0.5)
            return super().sample_independent(study, trial, param_name, param_distribution)

    plan = replace(make_plan(2), make_sampler=lambda _count: OthersFirst())
    ended = run(study, x_of, plan)
    assert [t.number for t in ended] == [1]
    assert_every_slot_has_one_finished_trial(study.trials, 2)


def test_the_plan_gives_the_first_parameters(study: optuna.Study):
    plan = Plan(
        2,
        {"x": FloatDistribution(0.0, 1.0)},
        lambda slot: {"x": slot / 4},
        lambda _n: RandomSampler(),
    )
    assert [t.values for t in run(study, x_of, plan)] == [[0.0], [0.25]]


def test_a_seed_repeats_the_same_different_trials():
    values = []
    for _ in range(2):
        study = open_study(InMemoryStorage(), NAME, {})
        values.append([t.values[0] for t in run(study, x_of, make_plan(4))])
    assert values[0] == values[1]
    assert len(set(values[0])) == 4
