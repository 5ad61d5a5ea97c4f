"""Which clips the report shows, and the log-mel of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from listener.detection.params import FeatureParams
from trainer.data.clips import Clip
from trainer.evaluation.examples import MOST_OF_A_KIND, choose_examples, join_patches
from trainer.evaluation.scored_clips import ScoredClip, ScoredTable
from trainer.evaluation.scored_file import ScoredFile

LABELS = ("a", "b", "c", "d")
FEATURES = FeatureParams()


def scored(label: str, *means: float) -> ScoredClip:
    labels = frozenset({label} if label else ())
    clip = Clip(Path(f"{label}{means}.wav"), labels, label, 1)
    file = ScoredFile("x", np.array([means], np.float32), np.array([0.0, 1.0]))
    return ScoredClip(clip, file, file, ())


def choose(*clips: ScoredClip):
    return choose_examples(ScoredTable(clips, LABELS, FEATURES, ()))


def test_the_surest_of_each_class_right_ones_first():
    found = choose(
        scored("a", 0.6, 0.1, 0.1, 0.1),
        scored("a", 0.9, 0.1, 0.1, 0.1),
        scored("b", 0.7, 0.2, 0.1, 0.1),
        scored("c", 0.1, 0.1, 0.8, 0.1),
    )
    assert [(each.guess, each.right) for each in found] == [("a", True), ("c", True), ("a", False)]
    assert found[0].score == np.float32(0.9)


def test_a_few_of_a_kind_are_enough_and_unlabelled_clips_are_none():
    rows = np.eye(4, dtype=np.float32)
    found = choose(
        scored("", 0.9, 0.9, 0.9, 0.9),
        *(scored(label, *row) for label, row in zip(LABELS, rows, strict=True)),
    )
    assert len(found) == MOST_OF_A_KIND


def test_overlapping_patches_are_joined_once():
    """Two patches, half a patch apart: 96 + 48 frames, those of one long patch."""
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.1, 0.1, FEATURES.window_samples + FEATURES.patch_hop_samples)
    joined = join_patches(samples.astype(np.float32), FEATURES)
    assert joined.shape == (144, 64)
    assert len(np.unique(joined, axis=0)) == 144
