"""Training learns separable classes, stops early, keeps the best weights and is repeatable."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from tests.trainer.model.examples import CLASSES, OneBatch, floats, make_source
from trainer.errors import FitError
from trainer.model.fit import Fitted, cross_entropy, fit, kernel_penalty, mix_up, smooth
from trainer.model.network import Moments, build_head
from trainer.model.progress import Epoch
from trainer.model.settings import FitSettings, HeadShape

SOURCE = make_source(["a", "b", "c"])
SETTINGS = FitSettings(learning_rate=0.1, weight_decay=0.0, max_epochs=30, patience=30)
MOMENTS = Moments(np.zeros(3, np.float32), np.ones(3, np.float32), 6)


def train(settings: FitSettings, source=SOURCE, validation=(SOURCE,), **options) -> Fitted:
    keras.utils.set_random_seed(settings.seed)
    head = build_head(MOMENTS, len(CLASSES), settings.head)
    return fit(head, OneBatch(source), validation, settings, **options)


def test_separable_classes_are_learned():
    history = train(SETTINGS).history
    assert history.best.accuracy == 1.0
    assert history.epochs[-1].loss < 0.2 * history.epochs[0].loss


def test_several_labels_of_a_clip_are_learned_as_independent_scores():
    source = make_source(["a", "b", "a,b", ""])
    fitted = train(replace(SETTINGS, activation="sigmoid"), source, [source])
    logits = fitted.network(np.stack([each.inputs[0] for each in source.patches]))
    expected = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]]
    np.testing.assert_array_equal(np.asarray(logits) > 0, expected)


@pytest.mark.parametrize("head", [HeadShape(), HeadShape(hidden=4, dropout=0.5)])
def test_the_same_seed_gives_the_same_weights(head: HeadShape):
    settings = replace(SETTINGS, head=head, max_epochs=3, mixup_alpha=0.4)
    first, second = (train(settings).network.get_weights() for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_stops_when_it_only_gets_worse_and_restores_the_best_weights():
    """Validation has every label wrong: each epoch is worse than the one before."""
    wrong = make_source(["b", "c", "a"])
    wrong = replace(wrong, patches=SOURCE.patches)
    fitted = train(replace(SETTINGS, patience=3), validation=(wrong,))
    assert len(fitted.history.epochs) == 4
    assert fitted.history.best.number == 1
    one_epoch = train(replace(SETTINGS, stop_after=1), validation=(wrong,))
    for best, first in zip(
        fitted.network.get_weights(), one_epoch.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(best, first)


def test_without_validation_all_epochs_run():
    assert (
        len(train(replace(SETTINGS, max_epochs=5, patience=1), validation=()).history.epochs) == 5
    )


def test_each_epoch_is_reported():
    shown: list[Epoch] = []
    history = train(replace(SETTINGS, max_epochs=3), on_epoch=shown.append).history
    assert tuple(shown) == history.epochs


def test_weight_decay_keeps_weights_small():
    free, held = (
        np.abs(train(replace(SETTINGS, weight_decay=decay)).network.get_weights()[0]).max()
        for decay in (0.0, 1.0)
    )
    assert held < 0.3 * free


def test_no_patches_are_refused():
    with pytest.raises(FitError, match="expected patches to learn from, got none"):
        fit(build_head(MOMENTS, 3, HeadShape()), [], (), SETTINGS)


def test_a_loss_that_is_not_a_number_is_refused():
    source = replace(
        SOURCE, patches=tuple(replace(p, inputs=p.inputs * np.nan) for p in SOURCE.patches)
    )
    with pytest.raises(FitError, match="epoch 1: the loss is nan: try a lower learning rate"):
        train(SETTINGS, source, None)


ONE = np.ones((1, 2), np.float32)
EVEN = np.zeros((1, 2), np.float32)  # logits of two scores of a half
LN_2 = np.log(2.0)


def loss_of(logits, targets, known, weights, activation):
    return float(
        cross_entropy(floats(logits), floats(targets), floats(known), floats(weights), activation)
    )


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_an_even_guess_costs_one_bit(activation):
    assert loss_of(EVEN, [[1, 0]], ONE, [1], activation) == pytest.approx(LN_2)


def test_an_unknown_label_costs_nothing_with_any_target():
    """ln 2 of the known one; the other would cost 5 more."""
    assert loss_of([[0, 5]], [[1, 0]], [[1, 0]], [1], "sigmoid") == pytest.approx(LN_2)
    assert loss_of([[0, 5]], [[1, 1]], [[1, 0]], [1], "sigmoid") == pytest.approx(LN_2)


def test_a_patch_with_no_known_label_costs_nothing():
    logits, targets = [[0, 0], [9, 0]], [[1, 0], [0, 1]]
    known = [[1, 1], [0, 0]]
    assert loss_of(logits, targets, known, [1, 1], "softmax") == pytest.approx(LN_2)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_batch_with_no_known_label_costs_nothing(activation):
    assert loss_of(EVEN, [[1, 0]], 0 * ONE, [1], activation) == 0.0


def test_weights_are_shares_of_the_mean():
    """The second patch is right beyond doubt; the first counts three times."""
    logits, targets = [[0, 0], [0, 99]], [[1, 0], [0, 1]]
    loss = loss_of(logits, targets, np.ones((2, 2)), [3, 1], "softmax")
    assert loss == pytest.approx(0.75 * LN_2)


def test_smoothing_gives_a_share_to_all():
    target = np.array([[1.0, 0.0, 0.0, 0.0]], np.float32)
    np.testing.assert_allclose(smooth(target, 0.2, "softmax"), [[0.85, 0.05, 0.05, 0.05]])
    np.testing.assert_allclose(smooth(target, 0.2, "sigmoid"), [[0.9, 0.1, 0.1, 0.1]])


def test_the_penalty_is_half_the_squares_of_kernels_only():
    head = build_head(Moments(floats([0, 0]), floats([1, 1]), 1), 2, HeadShape())
    head.set_weights([np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([100.0, 100.0])])
    assert float(kernel_penalty(head, 0.1)) == pytest.approx(0.1 * 15.0)


def test_mixup_blends_inputs_and_targets_by_one_share():
    """Example n is all n and its target n / 9: so with any partner both are blended alike."""
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
