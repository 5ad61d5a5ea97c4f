"""The leaky figure: too good wherever recordings can be told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from listener.detection.params import FeatureParams
from trainer.data.cache import EmbeddingCache, Entry, make_key
from trainer.data.clips import Clip
from trainer.data.patches import EmbeddedClip, EmbeddedTable
from trainer.model.settings import FitSettings
from trainer.training.leakage import measure_leak
from trainer.training.recipe import Recipe
from trainer.training.training_set import TrainingSet

PATCHES, RECORDINGS = 20, 8
RECIPE = Recipe(copies=0, batch_size=32, fit=FitSettings(learning_rate=0.05))


def make_recordings(folder: Path, folds: int) -> TrainingSet:
    """Every recording has an embedding of its own, from which its label cannot be known."""
    cache = EmbeddingCache(folder)
    clips = tuple(_embedded(number, folds, cache) for number in range(RECORDINGS))
    table = EmbeddedTable(clips, ("cat", "dog"), (), FeatureParams(), cache)
    return TrainingSet((table,), (), None, stride=2, repeats=1, seed=0)


def _embedded(number: int, folds: int, cache: EmbeddingCache) -> EmbeddedClip:
    own = np.eye(RECORDINGS, dtype=np.float32)[number]
    key = make_key({"recording": number})
    cache.store(key, Entry(np.tile(5.0 * own, (PATCHES, 1)), 10.0))
    label = "cat" if number // folds % 2 else "dog"  # both in every fold
    clip = Clip(Path(f"{number}.wav"), frozenset({label}), str(number), number % folds + 1)
    return EmbeddedClip(clip, "", key, PATCHES, 10.0)


def test_shuffled_patches_are_recognised_and_new_recordings_are_not(tmp_path: Path):
    found = measure_leak(make_recordings(tmp_path, 2), RECIPE)
    assert found is not None
    assert (found.patches, found.folds) == (RECORDINGS * PATCHES // 2, 2)
    assert found.shuffled == 1.0
    assert found.by_recording <= 0.75


def test_one_fold_leaves_nothing_to_test_on(tmp_path: Path):
    assert measure_leak(make_recordings(tmp_path, 1), RECIPE) is None


def test_of_many_clips_some_are_left_out(tmp_path: Path):
    found = measure_leak(make_recordings(tmp_path, 2), RECIPE, most_patches=30)  # every third of 8
    assert found is not None
    assert found.patches == 30
