"""From a folder of clips to a bundle that tells its classes apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine
from listener.soundscape.synthesis import pink_noise
from tests.trainer.sections import faults
from tests.trainer.training.tones import HZ, tone, write_tones
from trainer.data.cache import EmbeddingCache
from trainer.data.formats import read_clips
from trainer.errors import BackboneError, FitError
from trainer.model.backbones import Backbone, open_backbone
from trainer.model.progress import epochs_bar
from trainer.model.settings import FitSettings, Thawing
from trainer.training.fit_bundle import FitRequest, choose_activation, fit_bundle
from trainer.training.fit_data import choose_folds
from trainer.training.recipe import Recipe
from trainer.training.train import Trained, split, train
from trainer.training.training_set import make_training_set

FOLDS = (1, 2, 3)


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("tones") / "data")


@pytest.fixture(scope="module")
def request_of_tones(tones: Path, tones_bundle: Bundle) -> FitRequest:
    return FitRequest(
        data=(tones,),
        out=tones.parent / "two-tones",
        backbone=str(tones_bundle.path),
        cache=tones.parent / "cache",
        recipe=Recipe(copies=1),
        folds=FOLDS,
    )


@pytest.fixture(scope="module")
def fitted(request_of_tones: FitRequest) -> Bundle:
    return fit_bundle(request_of_tones)


def mean_scores(bundle: Bundle, samples):
    engine = LiteRTEngine(bundle.model_path)
    scores, _ = engine.infer(log_mel_patches(samples, bundle.manifest.features))
    return scores.mean(axis=0)


def test_each_tone_has_the_highest_score_of_its_own(fitted: Bundle):
    assert fitted.labels == ("high", "low")
    for label, hz in HZ.items():
        scores = mean_scores(fitted, tone(hz, 0.7))
        assert fitted.labels[int(scores.argmax())] == label
        assert scores.max() > 0.8


@pytest.mark.parametrize("level", [0.0, 0.01, 1.0])
def test_neither_silence_nor_noise_is_a_tone(fitted: Bundle, level: float):
    """A network that knows only its classes would score one of them high on pure noise."""
    noise = np.float32(level) * pink_noise(3.0, np.random.default_rng(7))
    assert mean_scores(fitted, noise).max() < 0.5


def test_the_saved_model_in_plain_tensorflow_gives_the_same_scores(fitted: Bundle):
    assert fitted.saved_model_path is not None
    samples = tone(HZ["low"], 0.5)
    served = tf.saved_model.load(str(fitted.saved_model_path)).signatures["serving_default"]
    scores = served(waveform=tf.constant(samples))["scores"].numpy().mean(axis=0)
    np.testing.assert_allclose(scores, mean_scores(fitted, samples), atol=1e-4)


def test_the_bundle_says_what_it_was_trained_on(fitted: Bundle, request_of_tones: FitRequest):
    known = fitted.manifest.provenance
    assert faults(known) == []
    assert fitted.manifest.activation == "softmax"
    assert known["folds"] == list(FOLDS)
    assert known["validation_fold"] == 3
    assert known["clips"] == 12
    assert len(known["training_files"]) == 12
    assert known["backbone"] == request_of_tones.backbone
    assert known["validation"].startswith(
        "logistic regression: accuracy 100.0 % of 12 clips, of folds 1, 2, 3, from 12 recordings; none"
    )
    assert known["licences"] == {known["data"][0]: "not stated"}
    assert (known["leak"]["patches"], known["leak"]["folds"]) == (24, 3)
    card = (fitted.path / "card.md").read_text()
    assert "2 classes, learnt by `trainer fit` from 12 clips" in card
    assert "## A figure not to believe" in card
    assert "Left out as unusable: nothing" in card


def test_what_the_station_would_do_with_validation_clips_comes_first(fitted: Bundle):
    """Two clips of each tone in fold 3, by a head that was trained on folds 1 and 2."""
    found = fitted.manifest.provenance["station"]
    assert (found["clips"], found["backgrounds"]) == (4, 0)
    assert (found["heard"], found["sounds"], found["recall"]) == (4, 4, 1.0)
    assert found["false_alarms"]["alarms"] == 0
    assert found["hours"] * 3600 == pytest.approx(4 * tone(500.0, 0.5).size / 16_000)
    _title, _, first, *_ = (fitted.path / "card.md").read_text().splitlines()
    assert first.startswith("**What the station would do**, on 4 validation clips, by a head that")


def test_without_a_validation_fold_nothing_is_said(request_of_tones: FitRequest, tmp_path: Path):
    recipe = Recipe(FitSettings(max_epochs=1), copies=0)
    request = replace(request_of_tones, folds=(1,), out=tmp_path / "one", recipe=recipe)
    made = fit_bundle(request)
    assert "station" not in made.manifest.provenance
    assert "What the station would do" not in (made.path / "card.md").read_text()


def test_the_same_seed_gives_the_same_heads(request_of_tones: FitRequest):
    backbone = open_backbone(request_of_tones.backbone)
    recipe = Recipe(copies=1, heads=2, fit=FitSettings(max_epochs=2))
    first, second = (train_tones(request_of_tones, backbone, recipe).heads for _ in range(2))
    assert len(first) == 2
    for head, other in zip(first, second, strict=True):
        for weight, same in zip(head.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, same)


def train_tones(request: FitRequest, backbone: Backbone, recipe: Recipe) -> Trained:
    table = read_clips(request.data).in_folds(*FOLDS)
    cache = EmbeddingCache(request.cache)
    tones = make_training_set(
        table, backbone, cache, recipe, lambda _what: lambda _done, _total: None
    )
    return train(split(tones, FOLDS, 3), backbone, recipe, epochs_bar)


def test_only_yamnet_can_be_thawed(request_of_tones: FitRequest, tmp_path: Path):
    recipe = Recipe(copies=0, fit=FitSettings(thawing=Thawing(blocks=1)))
    request = replace(request_of_tones, recipe=recipe, out=tmp_path / "thawed")
    with pytest.raises(BackboneError, match="expected YAMNet, this backbone cannot be fine-tuned"):
        fit_bundle(request)
    assert not (tmp_path / "thawed").exists()


@pytest.mark.parametrize(
    ("folds", "validation", "message"),
    [
        ((1, 9), None, r"folds: expected some of \[1, 2, 3, 4, 5\], got \[9\]"),
        ((1, 2), 3, r"validation fold: expected one of \[1, 2\] and others to train on, got 3"),
        ((1,), 1, r"validation fold: expected one of \[1\] and others to train on, got 1"),
    ],
)
def test_impossible_folds_are_refused(tones: Path, folds, validation, message: str):
    with pytest.raises(FitError, match=message):
        choose_folds(read_clips([tones]), folds, validation)


def test_clips_of_several_labels_need_independent_scores(tones: Path):
    table = read_clips([tones])
    assert choose_activation(table) == "softmax"
    both = replace(table.clips[0], labels=frozenset(HZ))
    assert choose_activation(replace(table, clips=(both, *table.clips))) == "sigmoid"
