"""Which storages open, which studies may be shared, and when a trial is silent."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from tests.rigs.mosquitto import free_port, wait_until
from trainer.errors import SearchError, StorageError
from trainer.search.storage import HeartbeatMonitor, heartbeats, open_storage, open_study
from trainer.search.trials import HEARTBEAT


@pytest.mark.parametrize("form", ["{}/new/a", "journal://{}/new/a", "sqlite:///{}/a"])
def test_a_study_is_there_when_its_storage_opens_again(tmp_path: Path, form: str):
    address = form.format(tmp_path)
    with open_storage(address) as storage:
        optuna.create_study(storage=storage, study_name="first")
    with open_storage(address) as storage:
        assert [study.study_name for study in storage.get_all_studies()] == ["first"]
    assert next(tmp_path.rglob("a")).is_file()


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ("mysql://user:secret@host/db", "got mysql://$"),
        ("redis://host", "got redis://$"),
        ("://", "got ://$"),
    ],
)
def test_an_address_of_an_unknown_form_is_refused(address: str, part: str):
    with pytest.raises(SearchError, match=part), open_storage(address):
        pass


def test_an_unreachable_database_is_named_without_its_password():
    url = f"postgresql://user:secret@127.0.0.1:{free_port()}/db"
    with pytest.raises(StorageError, match="cannot be opened") as raised, open_storage(url):
        pass
    assert "127.0.0.1" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_file_that_is_not_a_journal_is_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("milk\neggs\n")
    with (
        pytest.raises(StorageError, match="expected a journal of Optuna's"),
        open_storage(str(tmp_path / "notes.txt")),
    ):
        pass


def test_a_folder_is_not_a_journal(tmp_path: Path):
    with pytest.raises(StorageError, match="Is a directory"), open_storage(str(tmp_path)):
        pass


def make_study() -> optuna.Study:
    return open_study(InMemoryStorage(), "heartbeats", {})


class Clock:
    """Time that a test sets, s."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_running_trial_sends_heartbeats():
    study = make_study()
    trial = study.ask()
    with heartbeats(trial, grace_seconds=0.06):
        wait_until(
            lambda: study.trials[0].user_attrs.get(HEARTBEAT, 0) >= 3, 10, "three heartbeats"
        )


def test_a_trial_that_has_ended_sends_no_more_heartbeats():
    study = make_study()
    trial = study.ask()
    with heartbeats(trial, grace_seconds=0.06):
        study.tell(trial.number, state=TrialState.FAIL)
    assert study.trials[0].state == TrialState.FAIL


def test_a_trial_is_silent_without_a_heartbeat_for_the_grace():
    study, clock = make_study(), Clock()
    trial = study.ask()
    monitor = HeartbeatMonitor(10.0, clock)
    assert monitor.silent(study.trials) == []
    clock.now = 10.0
    assert monitor.silent(study.trials) == []
    clock.now = 10.1
    assert [t.number for t in monitor.silent(study.trials)] == [trial.number]


def test_a_heartbeat_restarts_the_grace():
    study, clock = make_study(), Clock()
    trial = study.ask()
    monitor = HeartbeatMonitor(10.0, clock)
    monitor.silent(study.trials)
    clock.now = 9.0
    trial.set_user_attr(HEARTBEAT, 1)
    assert monitor.silent(study.trials) == []
    clock.now = 19.0
    assert monitor.silent(study.trials) == []
    clock.now = 19.1
    assert len(monitor.silent(study.trials)) == 1


def test_only_running_trials_are_silent():
    study, clock = make_study(), Clock()
    trial = study.ask()
    study.enqueue_trial({})
    monitor = HeartbeatMonitor(10.0, clock)
    monitor.silent(study.trials)
    study.tell(trial, 1.0)
    clock.now = 100.0
    assert monitor.silent(study.trials) == []


ABOUT = {"data": "a hash", "folds": "1, 2"}


def test_more_is_better():
    assert open_study(InMemoryStorage(), "s", ABOUT).direction == StudyDirection.MAXIMIZE


def test_an_existing_study_is_continued():
    storage = InMemoryStorage()
    open_study(storage, "s", ABOUT).enqueue_trial({"x": 1.0})
    assert len(open_study(storage, "s", ABOUT).trials) == 1


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ({"data": "another", "folds": "1, 2"}, "the same data as"),
        ({"data": "another", "folds": "1"}, "the same data, folds as"),
        ({"data": "a hash", "folds": "1, 2", "space": "new"}, "the same space as"),
    ],
)
def test_a_study_about_something_else_is_refused(other: dict[str, str], part: str):
    storage = InMemoryStorage()
    open_study(storage, "s", ABOUT)
    with pytest.raises(SearchError, match=f"study s: expected {part} in its other trials"):
        open_study(storage, "s", other)
    open_study(storage, "other", other)
