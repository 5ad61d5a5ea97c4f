"""Examples are the patches of strips, what is heard in them and what the teacher makes of them."""

from __future__ import annotations

import numpy as np

from trainer.starter.examples import Examples, make_examples
from trainer.starter.labels import COLUMNS, LABELS
from trainer.starter.recordings import Recording
from trainer.starter.strips import PATCHES

BARK = Recording("1-1-A-0", "dog", 1, np.sin(np.arange(80_000) / 5).astype(np.float32))


class MeanTeacher:
    """Its embedding is the mean over a patch's time, (B, 64)."""

    def infer(self, patches):
        return np.zeros((len(patches), 1), np.float32), patches.mean(axis=1)


def make(seed: int) -> Examples:
    return make_examples([BARK], MeanTeacher(), strip_count=12, seed=seed)


def test_every_patch_has_its_targets_and_the_teachers_embedding():
    examples = make(0)
    assert len(examples) == 12 * PATCHES
    assert examples.targets.shape == (len(examples), len(LABELS))
    assert examples.targets[:, COLUMNS["dog"]].max() == 1.0
    assert examples.targets[:, COLUMNS["rain"]].max() == 0.0  # no recording of rain was given
    means = examples.patches.astype(np.float32).mean(axis=1)
    np.testing.assert_allclose(examples.embeddings, means, atol=0.02)  # half precision


def test_the_same_seed_makes_the_same_examples():
    first, again, other = make(1), make(1), make(2)
    np.testing.assert_array_equal(first.patches, again.patches)
    np.testing.assert_array_equal(first.targets, again.targets)
    assert not np.array_equal(first.patches, other.patches)
