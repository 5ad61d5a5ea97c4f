"""The mean over the folds, and which trials are not worth their end."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from trainer.search.fold_mean import mean_over_folds
from trainer.search.study import open_study

FOLDS = (1, 2, 3, 4, 5)


@pytest.fixture
def study() -> optuna.Study:
    """Five trials came to their end, at 0.84 to 0.92."""
    study = open_study(InMemoryStorage(), "folds", {})
    for mean in (0.84, 0.86, 0.88, 0.90, 0.92):
        assert run(study, [mean] * 5) == 5
    return study


def run(study: optuna.Study, values: Sequence[float]) -> int:
    """After how many folds of these values a trial has come to its end."""
    tested: list[int] = []

    def test(fold: int) -> float:
        tested.append(fold)
        return values[fold - 1]

    trial = study.ask()
    try:
        study.tell(trial, mean_over_folds(trial, FOLDS, test))
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    assert tested == list(FOLDS[: len(tested)])
    return len(tested)


def test_the_value_is_the_mean_of_the_folds(study: optuna.Study):
    run(study, [1.0, 0.9, 1.0, 0.9, 1.0])
    assert study.trials[-1].value == pytest.approx(0.96)


def test_a_clearly_worse_trial_is_given_up_and_a_better_one_is_not(study: optuna.Study):
    """Pruned as a loss, it would be the other way round."""
    assert run(study, [0.5] * 5) == 2
    assert run(study, [0.99] * 5) == 5
    states = [trial.state for trial in study.trials[-2:]]
    assert states == [TrialState.PRUNED, TrialState.COMPLETE]


def test_one_bad_fold_alone_is_no_reason(study: optuna.Study):
    """0.80 and 1.0 are a mean of 0.9; the median of the others is 0.88."""
    assert run(study, [0.8, 1.0, 1.0, 1.0, 1.0]) == 5


def test_an_easy_first_fold_does_not_save_a_bad_trial(study: optuna.Study):
    """After 1.0 the mean falls to 0.8, then to 0.73: under 0.88 from the second fold on."""
    assert run(study, [1.0, 0.6, 0.6, 0.6, 0.6]) == 2


def test_without_others_to_compare_with_no_trial_is_given_up():
    study = open_study(InMemoryStorage(), "first", {})
    assert run(study, [0.9] * 5) == 5
    assert run(study, [0.1] * 5) == 5


def test_at_the_last_fold_nothing_is_left_to_save(study: optuna.Study):
    assert run(study, [0.9, 0.9, 0.9, 0.9, 0.0]) == 5
    assert study.trials[-1].value == pytest.approx(0.72)
