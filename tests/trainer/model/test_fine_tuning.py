"""The last blocks of YAMNet can be trained, each at its own rate."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from listener.detection.params import FeatureParams
from tests.trainer.model.examples import floats
from trainer.errors import BackboneError
from trainer.model.fine_tuning import block_of, learning_rate_shares, thaw
from trainer.model.fit import LayeredAdam
from trainer.model.network import join
from trainer.model.settings import Thawing
from trainer.model.yamnet import build_yamnet


@pytest.fixture(scope="module")
def net() -> keras.Model:
    whole = build_yamnet(3, FeatureParams())
    return keras.Model(whole.input, whole.output["embeddings"])


def trainable_blocks(net: keras.Model) -> set[int]:
    return {block_of(layer.name) for layer in net.layers if layer.trainable_weights}


@pytest.mark.parametrize("blocks", [0, 1, 5, 14])
def test_the_last_blocks_are_trainable_and_no_batch_norm(net: keras.Model, blocks: int):
    thaw(net, blocks)
    assert trainable_blocks(net) == set(range(15 - blocks, 15))
    assert not any("bn" in variable.path for variable in net.trainable_variables)


def test_frozen_batch_norms_do_not_follow_the_batch(net: keras.Model):
    thaw(net, 14)
    patches = np.random.default_rng(0).normal(size=(2, 96, 64)).astype(np.float32)
    np.testing.assert_array_equal(net(patches, training=True), net(patches, training=False))


@pytest.mark.parametrize("blocks", [-1, 15])
def test_there_are_fourteen_blocks(net: keras.Model, blocks: int):
    with pytest.raises(BackboneError, match=f"thaw: expected 0 to 14 blocks, got {blocks}"):
        thaw(net, blocks)


def test_only_yamnet_can_be_fine_tuned():
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    thaw(other, 0)
    with pytest.raises(BackboneError, match="expected YAMNet, this backbone cannot be fine-tuned"):
        thaw(other, 1)


def test_each_block_has_its_share_of_the_rate(net: keras.Model):
    thaw(net, 3)
    embeddings = keras.Input((1024,))
    head = keras.Model(embeddings, keras.layers.Dense(2)(embeddings), name="head")
    network = join(net, head)
    shares = learning_rate_shares(network, Thawing(rate_share=0.1, decay=0.5))
    by_block = {
        block_of(variable.path.split("/")[-2]): share
        for variable, share in zip(network.trainable_variables, shares, strict=True)
    }
    assert by_block == pytest.approx({0: 1.0, 14: 0.1, 13: 0.05, 12: 0.025})


def test_adam_steps_by_its_share_whatever_the_gradient():
    """The first step of Adam is the learning rate itself, by the gradient's sign."""
    variables = [keras.Variable(np.zeros(1, np.float32)) for _ in range(3)]
    adam = LayeredAdam(variables, [1.0, 0.1, 1.0])
    adam.set_rate(0.5)
    adam.apply([floats([g]) for g in (1.0, 100.0, -0.01)])
    steps = [float(np.asarray(variable)[0]) for variable in variables]
    assert steps == pytest.approx([-0.5, -0.05, 0.5], rel=1e-3)
