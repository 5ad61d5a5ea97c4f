"""A study is of one thing, and more is better."""

from __future__ import annotations

import pytest
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection

from trainer.errors import SearchError
from trainer.search.study import open_study

ABOUT = {"data": "a hash", "folds": "1, 2"}


def test_more_is_better():
    assert open_study(InMemoryStorage(), "s", ABOUT).direction == StudyDirection.MAXIMIZE


def test_a_study_that_is_there_is_gone_on_with():
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
def test_a_study_of_another_thing_is_refused(other: dict[str, str], part: str):
    storage = InMemoryStorage()
    open_study(storage, "s", ABOUT)
    with pytest.raises(SearchError, match=f"study s: expected {part} in its other trials"):
        open_study(storage, "s", other)
    open_study(storage, "other", other)
