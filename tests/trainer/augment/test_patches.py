"""SpecAugment paints stripes; mixup blends inputs, targets and what is known."""

from __future__ import annotations

import numpy as np

from trainer.augment.patches import Masks, mask_log_mel, mix_up


def test_stripes_have_the_patchs_mean_and_the_rest_stays():
    patches = np.random.default_rng(0).normal(size=(3, 96, 64)).astype(np.float32)
    masked = mask_log_mel(patches, Masks(), np.random.default_rng(1))
    for before, after in zip(patches, masked, strict=True):
        changed = before != after
        np.testing.assert_allclose(after[changed], before.mean(), atol=0.2)
        assert 0 < changed.mean() < 0.6


def test_no_stripes_change_nothing_and_the_input_is_not_touched():
    patches = np.ones((1, 96, 64), np.float32)
    patches[0, 0] = 5.0
    kept = patches.copy()
    none = Masks(time_count=0, band_count=0)
    np.testing.assert_array_equal(mask_log_mel(patches, none, np.random.default_rng(0)), kept)
    mask_log_mel(patches, Masks(), np.random.default_rng(0))
    np.testing.assert_array_equal(patches, kept)


def test_mixup_blends_inputs_and_targets_by_one_share():
    """Example n is all n and its target n / 9: whatever the partner, the two stay in step."""
    inputs = np.repeat(np.arange(10, dtype=np.float32)[:, None, None], 4, axis=1)
    targets = np.linspace(0.0, 1.0, 10, dtype=np.float32)[:, None]
    known = np.ones_like(targets)
    mixed, blended, _ = mix_up(inputs, targets, known, 0.4, np.random.default_rng(0))
    assert mixed.shape == inputs.shape
    np.testing.assert_allclose(mixed[:, 0, 0] / 9, blended[:, 0], atol=1e-6)
    assert not np.allclose(mixed, inputs)


def test_an_example_stays_mostly_itself():
    inputs = np.eye(50, dtype=np.float32)
    mixed, _, _ = mix_up(inputs, inputs, inputs, 1.0, np.random.default_rng(0))
    assert (mixed.diagonal() >= 0.5).all()


def test_a_target_is_known_only_where_both_are():
    known = np.array([[1.0, 0.0], [1.0, 1.0]], np.float32)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        partner = np.random.default_rng(seed).permutation(2)
        _, _, mixed = mix_up(known, known, known, 0.4, rng)
        np.testing.assert_array_equal(mixed, known * known[partner])
