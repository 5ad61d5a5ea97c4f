"""A trial that lives shows it; one that does not is found out by whoever looks."""

from __future__ import annotations

import optuna
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from tests.rigs.mosquitto import wait_until
from trainer.search.heartbeat import BEAT, Watch, beating
from trainer.search.study import open_study


def make_study() -> optuna.Study:
    return open_study(InMemoryStorage(), "hearts", {})


class Clock:
    """Time that a test sets, s."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_running_trial_beats_again_and_again():
    study = make_study()
    trial = study.ask()
    with beating(trial, grace_seconds=0.06):
        wait_until(lambda: study.trials[0].user_attrs.get(BEAT, 0) >= 3, 10, "three beats")


def test_a_trial_that_is_over_stops_beating():
    study = make_study()
    trial = study.ask()
    with beating(trial, grace_seconds=0.06):
        study.tell(trial.number, state=TrialState.FAIL)
    assert study.trials[0].state == TrialState.FAIL


def test_a_trial_is_silent_when_no_beat_is_seen_for_the_grace():
    study, clock = make_study(), Clock()
    trial = study.ask()
    watch = Watch(10.0, clock)
    assert watch.silent(study.trials) == []
    clock.now = 10.0
    assert watch.silent(study.trials) == []
    clock.now = 10.1
    assert [t.number for t in watch.silent(study.trials)] == [trial.number]


def test_a_beat_begins_the_grace_anew():
    study, clock = make_study(), Clock()
    trial = study.ask()
    watch = Watch(10.0, clock)
    watch.silent(study.trials)
    clock.now = 9.0
    trial.set_user_attr(BEAT, 1)
    assert watch.silent(study.trials) == []
    clock.now = 19.0
    assert watch.silent(study.trials) == []
    clock.now = 19.1
    assert len(watch.silent(study.trials)) == 1


def test_only_running_trials_are_silent():
    study, clock = make_study(), Clock()
    trial = study.ask()
    study.enqueue_trial({})
    watch = Watch(10.0, clock)
    watch.silent(study.trials)
    study.tell(trial, 1.0)
    clock.now = 100.0
    assert watch.silent(study.trials) == []
