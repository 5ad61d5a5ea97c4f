"""How well a taught network does on clips that it never heard."""

from __future__ import annotations

from dataclasses import replace

import optuna
import pytest
from optuna.storages import InMemoryStorage

from listener.detection.bundle import Bundle
from tests.trainer.training.tones import write_tones
from trainer.data.cache import EmbeddingCache
from trainer.data.formats import read_clips
from trainer.model.backbones import open_backbone
from trainer.model.progress import epochs_bar
from trainer.model.settings import FitSettings
from trainer.search.held_out import ASTRAY, HeldOutFolds
from trainer.search.lessons import default_params
from trainer.search.materials import Materials
from trainer.search.space import make_space
from trainer.search.study import open_study
from trainer.training.recipe import Lesson
from trainer.training.train import clip_accuracy, split, teach

FOLDS = (1, 2, 3)
BASE = Lesson(fit=FitSettings(max_epochs=2), copies=0)


@pytest.fixture(scope="module")
def materials(tones_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Materials:
    folder = tmp_path_factory.mktemp("held-out")
    table = read_clips([write_tones(folder / "data")]).in_folds(*FOLDS)
    backbone = open_backbone(str(tones_bundle.path))
    return Materials(table, backbone, EmbeddingCache(folder / "cache"))


@pytest.mark.parametrize(("sign", "share"), [(1.0, 1.0), (-1.0, 0.0)])
def test_the_share_of_right_clips_is_the_same_through_a_net_of_its_own(
    materials: Materials, sign: float, share: float
):
    """Two tones are told apart without a mistake; with the head's signs turned, with nothing else."""
    backbone, material = materials.backbone, materials.of(BASE)
    taught = teach(split(material, (1, 2), None), backbone, BASE, epochs_bar)
    for weight in taught.heads[0].weights:
        weight.assign(sign * weight)
    held_out = material.in_folds(3)
    assert clip_accuracy(taught, held_out.clips) == share
    whole = replace(taught, thawed=backbone.build_net())
    assert clip_accuracy(whole, held_out.clips_as_log_mel()) == share


def test_material_is_gathered_once_for_all_that_learn_from_it(materials: Materials):
    first, second = (materials.of(replace(BASE, repeats=repeats)) for repeats in (1, 4))
    assert first.tables is second.tables
    assert (first.repeats, second.repeats) == (1, 4)
    assert len(materials.of(replace(BASE, copies=1)).tables) == 2


def ask(rate: float) -> optuna.Trial:
    params = default_params() | {"copies": 0, "learning_rate": rate}
    study = open_study(InMemoryStorage(), "held out", {})
    study.enqueue_trial(params)
    space = dict(make_space(0))
    space["learning_rate"] = optuna.distributions.FloatDistribution(0.0, 1e40)
    return study.ask(space)


def test_each_fold_is_held_out_and_reported(materials: Materials):
    """After n of three folds without a mistake: n thirds."""
    trial = ask(2e-3)
    assert HeldOutFolds(FOLDS, BASE, materials)(trial) == pytest.approx(1.0)
    reported = trial.study.trials[0].intermediate_values
    assert reported == pytest.approx({0: 1 / 3, 1: 2 / 3, 2: 1.0})


def test_a_training_that_goes_astray_is_given_up_and_says_why(materials: Materials):
    trial = ask(1e38)
    with pytest.raises(optuna.TrialPruned):
        HeldOutFolds(FOLDS, BASE, materials)(trial)
    assert "the loss is" in trial.user_attrs[ASTRAY]
