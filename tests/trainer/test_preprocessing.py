"""Preprocessing from end to end: learnt with, written into the bundle, repeated by the daemon."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from listener.adapters import open_engine
from listener.config.engine import DetectionSettings, EngineSettings
from listener.detection.bundle import Bundle, read_bundle
from listener.detection.params import FeatureParams, Preprocessing
from listener.offline import analyse_file
from listener.pipeline.pipeline import PipelineSettings
from listener.planning import make_detection_plan
from tests.bundles import make_tones_bundle
from tests.listener.detection.waveforms import noise, sine
from tests.listener.scenes import write_sound
from tests.trainer.model.test_backbones import VggishStandIn, save
from tests.trainer.test_cli import assert_one_line, run
from tests.trainer.training.tones import write_tones
from trainer.evaluation.scoring import open_scorer
from trainer.model.backbones import BundleBackbone, KerasBackbone, open_backbone

BOTH = Preprocessing(high_pass_hz=120.0, level_dbfs=-20.0)
SCENE = sine(50, 3.0, 0.5) + np.concatenate((noise(24_000, 0.003), sine(500, 1.5, 0.01)))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_tones_bundle(
        tmp_path_factory.mktemp("bundles") / "tones", FeatureParams(preprocessing=BOTH)
    )


def test_the_daemon_scores_as_the_trainer_does(
    bundle: Bundle, tones_bundle: Bundle, tmp_path: Path
):
    plan = make_detection_plan(bundle, DetectionSettings(), "test")
    engine = open_engine(bundle, EngineSettings())  # its golden check is with preprocessing, too
    path = write_sound(tmp_path / "scene.wav", SCENE)
    replayed = analyse_file(path, engine, plan, PipelineSettings(EngineSettings(max_wait_ms=0.0)))
    offline = open_scorer(bundle)(SCENE)
    np.testing.assert_allclose(replayed.scores, offline, atol=1e-5)
    assert np.abs(offline - open_scorer(tones_bundle)(SCENE)).max() > 0.1


def test_the_saved_model_has_it_inside(bundle: Bundle):
    served = tf.saved_model.load(str(bundle.saved_model_path)).signatures["serving_default"]
    scores = served(waveform=tf.constant(SCENE))["scores"]
    np.testing.assert_allclose(scores, open_scorer(bundle)(SCENE), atol=1e-3)


def test_a_bundle_brings_its_own_unless_another_is_asked_for(bundle: Bundle):
    path = str(bundle.path)
    assert open_backbone(path).features.preprocessing == BOTH
    assert open_backbone(path, 0.48, Preprocessing()).features == FeatureParams()


def test_the_id_of_a_backbone_is_that_of_its_preprocessing_too(tones_bundle: Bundle):
    """The cache's keys hold it."""
    wanted = [Preprocessing(), BOTH, Preprocessing(high_pass_hz=120.0), Preprocessing(50.0)]
    backbones = [BundleBackbone(tones_bundle.path, preprocessing=each) for each in wanted]
    assert len({backbone.id for backbone in backbones}) == len(wanted)


def test_a_net_with_a_front_end_of_its_own_is_checked_without_it(tmp_path: Path):
    backbone = open_backbone(save(tmp_path, VggishStandIn()), 0.96, BOTH)
    assert isinstance(backbone, KerasBackbone)
    assert backbone.features.preprocessing == BOTH


def test_fit_writes_what_it_was_asked_for(tones_bundle: Bundle, tmp_path: Path):
    data, out = write_tones(tmp_path / "data"), tmp_path / "tones"
    places = ["--data", data, "--out", out, "--cache", tmp_path / "cache"]
    wanted = ["--high-pass", "120", "--level", "-20", "--copies", 0, "--epochs", 1]
    result = run("fit", *places, "--backbone", tones_bundle.path, *wanted)
    assert result.returncode == 0, result.stderr
    assert read_bundle(out).manifest.features.preprocessing == BOTH


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("--high-pass", "0", "high_pass_hz: expected more than 0, got 0.0"),
        ("--high-pass", "8000", "high_pass_hz: expected less than 7500, got 8000.0"),
        ("--level", "3", "level_dbfs: expected -60 to 0 dBFS, got 3.0"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, option: str, value: str, part: str):
    basics = ["fit", "--data", tmp_path, "--out", tmp_path / "out"]
    assert_one_line(run(*basics, option, value), 2, part)
