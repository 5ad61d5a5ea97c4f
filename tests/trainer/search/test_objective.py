"""The value of a trial: the accuracy on held-out folds, and when it is pruned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from listener.detection.bundle import Bundle
from tests.trainer.search.studies import assert_every_slot_has_one_finished_trial
from tests.trainer.training.tones import write_tones
from trainer.config import Sampler
from trainer.data.cache import EmbeddingCache
from trainer.data.formats import read_clips
from trainer.model.backbones import open_backbone
from trainer.model.progress import epochs_bar
from trainer.model.settings import FitSettings
from trainer.search.objective import (
    AUGMENTATIONS,
    HeldOutFolds,
    TrainingSets,
    default_params,
    make_grid,
    make_recipe,
    make_space,
    mean_over_folds,
)
from trainer.search.storage import open_study
from trainer.search.trials import DIVERGED
from trainer.search.worker import Worker, make_plan
from trainer.training.recipe import Recipe
from trainer.training.train import clip_accuracy, split, train

FOLDS = (1, 2, 3)
FIVE_FOLDS = (1, 2, 3, 4, 5)
BASE = Recipe(fit=FitSettings(max_epochs=2), copies=0, head="network")


@pytest.fixture(scope="module")
def training_sets(tones_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> TrainingSets:
    folder = tmp_path_factory.mktemp("held-out")
    table = read_clips([write_tones(folder / "data")]).in_folds(*FOLDS)
    backbone = open_backbone(str(tones_bundle.path))
    return TrainingSets(table, backbone, EmbeddingCache(folder / "cache"))


@pytest.mark.parametrize(("sign", "share"), [(1.0, 1.0), (-1.0, 0.0)])
def test_the_accuracy_is_the_same_through_a_thawed_network(
    training_sets: TrainingSets, sign: float, share: float
):
    """Two tones are separated without an error; with the head's signs flipped, every clip is wrong."""
    backbone, training_set = training_sets.backbone, training_sets.of(BASE)
    trained = train(split(training_set, (1, 2), None), backbone, BASE, epochs_bar)
    for weight in trained.heads[0].weights:
        weight.assign(sign * weight)
    held_out = training_set.in_folds(3)
    assert clip_accuracy(trained, held_out.clips) == share
    whole = replace(trained, thawed=backbone.build_net())
    assert clip_accuracy(whole, held_out.clips_as_log_mel()) == share


def test_a_training_set_is_made_once_for_all_recipes_that_share_it(training_sets: TrainingSets):
    first, second = (training_sets.of(replace(BASE, repeats=repeats)) for repeats in (1, 4))
    assert first.tables is second.tables
    assert (first.repeats, second.repeats) == (1, 4)
    assert len(training_sets.of(replace(BASE, copies=1)).tables) == 2


def ask(rate: float) -> optuna.Trial:
    params = default_params() | {"copies": 0, "learning_rate": rate}
    study = open_study(InMemoryStorage(), "held out", {})
    study.enqueue_trial(params)
    space = dict(make_space(0))
    space["learning_rate"] = optuna.distributions.FloatDistribution(0.0, 1e40)
    return study.ask(space)


def test_each_fold_is_held_out_and_reported(training_sets: TrainingSets):
    """After n of three folds without an error: n thirds."""
    trial = ask(2e-3)
    assert HeldOutFolds(FOLDS, BASE, training_sets)(trial) == pytest.approx(1.0)
    reported = trial.study.trials[0].intermediate_values
    assert reported == pytest.approx({0: 1 / 3, 1: 2 / 3, 2: 1.0})


def test_a_training_that_diverges_is_pruned_and_says_why(training_sets: TrainingSets):
    trial = ask(1e38)
    with pytest.raises(optuna.TrialPruned):
        HeldOutFolds(FOLDS, BASE, training_sets)(trial)
    assert "the loss is" in trial.user_attrs[DIVERGED]


@pytest.fixture
def study() -> optuna.Study:
    """A study with five complete trials, at 0.84 to 0.92."""
    study = open_study(InMemoryStorage(), "folds", {})
    for mean in (0.84, 0.86, 0.88, 0.90, 0.92):
        assert run(study, [mean] * 5) == 5
    return study


def run(study: optuna.Study, values: Sequence[float]) -> int:
    """The number of folds after which a trial with these values ends."""
    tested: list[int] = []

    def test(fold: int) -> float:
        tested.append(fold)
        return values[fold - 1]

    trial = study.ask()
    try:
        study.tell(trial, mean_over_folds(trial, FIVE_FOLDS, test))
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    assert tested == list(FIVE_FOLDS[: len(tested)])
    return len(tested)


def test_the_value_is_the_mean_of_the_folds(study: optuna.Study):
    run(study, [1.0, 0.9, 1.0, 0.9, 1.0])
    assert study.trials[-1].value == pytest.approx(0.96)


def test_a_clearly_worse_trial_is_pruned_and_a_better_one_is_not(study: optuna.Study):
    """Pruned as a loss, it would be the other way round."""
    assert run(study, [0.5] * 5) == 2
    assert run(study, [0.99] * 5) == 5
    states = [trial.state for trial in study.trials[-2:]]
    assert states == [TrialState.PRUNED, TrialState.COMPLETE]


def test_one_bad_fold_alone_does_not_prune_a_trial(study: optuna.Study):
    """0.80 and 1.0 are a mean of 0.9; the median of the others is 0.88."""
    assert run(study, [0.8, 1.0, 1.0, 1.0, 1.0]) == 5


def test_an_easy_first_fold_does_not_save_a_bad_trial(study: optuna.Study):
    """After 1.0 the mean falls to 0.8, then to 0.73: under 0.88 from the second fold on."""
    assert run(study, [1.0, 0.6, 0.6, 0.6, 0.6]) == 2


def test_without_others_to_compare_with_no_trial_is_pruned():
    study = open_study(InMemoryStorage(), "first", {})
    assert run(study, [0.9] * 5) == 5
    assert run(study, [0.1] * 5) == 5


def test_a_trial_is_not_pruned_after_its_last_fold(study: optuna.Study):
    assert run(study, [0.9, 0.9, 0.9, 0.9, 0.0]) == 5
    assert study.trials[-1].value == pytest.approx(0.72)


def test_the_default_parameters_are_the_default_recipe():
    assert make_recipe(default_params(), Recipe()) == Recipe()


def test_parameters_become_a_recipe_and_leave_the_rest():
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
    recipe = make_recipe(params, Recipe(background=False, seed=7))
    assert (recipe.background, recipe.seed, recipe.batch_size) == (False, 7, 64)
    assert (recipe.copies, recipe.repeats) == (1, 2)
    assert recipe.augmentation == AUGMENTATIONS["strong"]
    assert (recipe.fit.head.hidden, recipe.fit.head.dropout) == (128, 0.3)
    assert (recipe.fit.learning_rate, recipe.fit.weight_decay) == (5e-3, 0.1)
    assert (recipe.fit.mixup_alpha, recipe.fit.thawing.blocks) == (0.2, 3)


def test_blocks_are_thawed_only_on_request():
    assert "thawed_blocks" not in make_space(0)
    assert make_space(4)["thawed_blocks"] == optuna.distributions.IntDistribution(0, 4)


def test_the_grid_has_every_point_once_and_the_defaults_among_them():
    grid = make_grid(0)
    assert len({tuple(sorted(point.items())) for point in grid}) == len(grid)
    assert default_params() in grid
    assert make_grid(0) == grid
    assert make_grid(1) != grid


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_every_trial_is_a_recipe_within_the_space(sampler: Sampler):
    """A value out of its range would be a warning, and so an error here."""
    study = open_study(InMemoryStorage(), sampler, {})
    plan = make_plan(sampler, 15, make_space(2), seed=3)
    recipes: list[Recipe] = []

    def objective(trial: optuna.Trial) -> float:
        recipes.append(make_recipe(trial.params, Recipe()))
        return float(trial.params["learning_rate"])

    Worker(study, plan, objective, 60.0).run(lambda _trial: None)
    assert_every_slot_has_one_finished_trial(study.trials, 15)
    assert len(set(map(repr, recipes))) == 15
    if sampler != "grid":
        assert recipes[0] == Recipe()


def test_a_grid_has_no_more_trials_than_points():
    assert make_plan("grid", 1000, make_space(0), 0).count == len(make_grid(0))
    assert make_plan("grid", 5, make_space(0), 0).count == 5
