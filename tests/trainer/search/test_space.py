"""The space, the grid and the plans hold together, and their points are lessons."""

from __future__ import annotations

import optuna
import pytest
from optuna.storages import InMemoryStorage

from tests.trainer.search.studies import assert_every_place_has_one_end
from trainer.config import Sampler
from trainer.search.lessons import AUGMENTATIONS, default_params, make_lesson
from trainer.search.plan import make_plan
from trainer.search.space import make_grid, make_space
from trainer.search.study import open_study
from trainer.search.worker import Worker
from trainer.training.recipe import Lesson


def test_the_default_parameters_are_the_default_lesson():
    assert make_lesson(default_params(), Lesson()) == Lesson()


def test_parameters_become_a_lesson_and_leave_the_rest():
    params = {
        "learning_rate": 5e-3,
        "batch_size": 64,
        "hidden": 128,
        "dropout": 0.3,
        "weight_decay": 0.1,
        "mixup_alpha": 0.2,
        "augmentation": "strong",
        "copies": 1,
        "repeats": 2,
        "thawed_blocks": 3,
    }
    lesson = make_lesson(params, Lesson(background=False, seed=7))
    assert (lesson.background, lesson.seed, lesson.batch_size) == (False, 7, 64)
    assert (lesson.copies, lesson.repeats) == (1, 2)
    assert lesson.augmentation == AUGMENTATIONS["strong"]
    assert (lesson.fit.head.hidden, lesson.fit.head.dropout) == (128, 0.3)
    assert (lesson.fit.learning_rate, lesson.fit.weight_decay) == (5e-3, 0.1)
    assert (lesson.fit.mixup_alpha, lesson.fit.thawing.blocks) == (0.2, 3)


def test_blocks_are_thawed_only_if_asked_for():
    assert "thawed_blocks" not in make_space(0)
    assert make_space(4)["thawed_blocks"] == optuna.distributions.IntDistribution(0, 4)


def test_the_grid_has_no_point_twice_and_the_default_one_among_them():
    grid = make_grid(0)
    assert len({tuple(sorted(point.items())) for point in grid}) == len(grid)
    assert default_params() in grid
    assert make_grid(0) == grid
    assert make_grid(1) != grid


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_every_point_that_is_tried_is_a_lesson_within_the_space(sampler: Sampler):
    """A value out of its range would be a warning, and so an error here."""
    study = open_study(InMemoryStorage(), sampler, {})
    plan = make_plan(sampler, 15, make_space(2), seed=3)
    lessons: list[Lesson] = []

    def objective(trial: optuna.Trial) -> float:
        lessons.append(make_lesson(trial.params, Lesson()))
        return float(trial.params["learning_rate"])

    Worker(study, plan, objective, 60.0).run(lambda _trial: None)
    assert_every_place_has_one_end(study.trials, 15)
    assert len(set(map(repr, lessons))) == 15
    if sampler != "grid":
        assert lessons[0] == Lesson()


def test_a_grid_has_no_more_trials_than_points():
    assert make_plan("grid", 1000, make_space(0), 0).count == len(make_grid(0))
    assert make_plan("grid", 5, make_space(0), 0).count == 5
