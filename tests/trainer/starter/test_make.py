"""`trainer starter` end to end, small: a little ESC-10 and the tones bundle as its teacher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle, BundleError, check_golden, read_bundle
from listener.engines.litert import LiteRTEngine
from tests.trainer.starter.little_esc10 import make_little_esc10
from tests.trainer.test_cli import assert_one_line, run
from trainer.errors import DataError, TargetError
from trainer.starter.make import Sources, StarterRecipe, make_starter_bundle
from trainer.starter.strips import LABELS

LITTLE = StarterRecipe(strip_count=16, epochs=1, minutes=1)


@pytest.fixture(scope="module")
def esc10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_little_esc10(tmp_path_factory.mktemp("data") / "esc10")


@pytest.fixture(scope="module")
def made(esc10: Path, tones_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("bundles") / "starter"
    return make_starter_bundle(Sources(esc10, tones_bundle.path), out, LITTLE)


def test_the_bundle_is_whole_and_small(made: Bundle):
    bundle = read_bundle(made.path)
    assert bundle.manifest.labels == LABELS
    assert sorted(file.name for file in made.path.iterdir()) == [
        "bundle.json", "card.md", "golden.npz", "memory.npz", "model.tflite", "saved_model",
    ]  # fmt: skip
    assert sum(file.stat().st_size for file in made.path.rglob("*")) < 4.5e6
    assert check_golden(bundle, LiteRTEngine(bundle.model_path).infer) < 1e-4


def test_real_audio_sets_thresholds_and_some_labels_are_left_out(
    esc10: Path, tones_bundle: Bundle, tmp_path: Path
):
    folder = tmp_path / "siren"
    folder.mkdir()
    hum = 0.3 * np.sin(np.arange(10 * 16_000) / 9)
    soundfile.write(folder / "hum.wav", hum, 16_000)
    sources = Sources(esc10, tones_bundle.path, (folder,), (folder,), tmp_path)
    recipe = StarterRecipe(strip_count=12, epochs=1, minutes=1, labels=("dog", "siren"))
    made = make_starter_bundle(sources, tmp_path / "starter", recipe)
    assert made.labels == ("dog", "siren")
    assert set(made.manifest.policies) == {"dog", "siren"}


def test_the_card_names_authors_and_figures(made: Bundle):
    card = (made.path / "card.md").read_text(encoding="utf-8")
    assert "- author 3 (CC-BY): 1-1003-A, 2-1003-A, 5-1003-A\n" in card
    assert "YAMNet" in card
    metrics = made.manifest.provenance["metrics"]
    assert metrics["recordings"]["expected"] == 10  # fold 5 of the little one
    assert metrics["alarms"]["expected"] == 4  # a minute: two scenes with two alarms
    assert metrics["background"]["seconds"] == 60.0


def test_wrong_inputs_are_one_clear_line(esc10: Path, tones_bundle: Bundle, tmp_path: Path):
    with pytest.raises(DataError, match="LICENSE"):
        make_starter_bundle(Sources(tmp_path, tones_bundle.path), tmp_path / "out", LITTLE)
    with pytest.raises(BundleError, match="expected a bundle directory"):
        make_starter_bundle(Sources(esc10, tmp_path), tmp_path / "out", LITTLE)
    (tmp_path / "taken").mkdir()
    with pytest.raises(TargetError, match="expected a free name or an older bundle"):
        make_starter_bundle(Sources(esc10, tones_bundle.path), tmp_path / "taken", LITTLE)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_failed_command_prints_one_line(tmp_path: Path):
    out = tmp_path / "out"
    result = run("starter", "--esc10", tmp_path, "--teacher", tmp_path, "--out", out)
    assert_one_line(result, 1, "expected a bundle directory with bundle.json")
    assert not out.exists()
