"""Which blocks of YAMNet learn along with the head, and how fast."""

from __future__ import annotations

import re

import keras

from trainer.errors import BackboneError
from trainer.model.settings import Thawing

BLOCKS = 14  # the first convolution, and 13 separable ones
_BLOCK = re.compile(r"layer(\d+)_")


def thaw(net: keras.Model, blocks: int) -> None:
    """Let the last `blocks` of YAMNet's blocks learn; batch norms and all blocks before stay as they are.

    Raises:
        BackboneError: not YAMNet, or not 0 to 14 blocks.
    """
    if not 0 <= blocks <= BLOCKS:
        raise BackboneError(f"thaw: expected 0 to {BLOCKS} blocks, got {blocks}")
    if blocks and not any(_BLOCK.match(layer.name) for layer in net.layers):
        raise BackboneError("thaw: expected YAMNet, this backbone is frozen for good")
    for layer in net.layers:
        # a batch norm that is not trainable also keeps its moving mean and variance, in Keras
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = not norm and block_of(layer.name) > BLOCKS - blocks


def block_of(layer_name: str) -> int:
    """1 to 14 for a layer of YAMNet's (`layer7_pointwise`: 7), 0 for any other."""
    match = _BLOCK.match(layer_name)
    return int(match[1]) if match else 0


def learning_rate_shares(model: keras.Model, thawing: Thawing) -> list[float]:
    """For each trainable variable, its share of the head's learning rate.

    The head has 1; for the blocks see `Thawing`.
    """
    return [
        _share(block_of(variable.path.split("/")[-2]), thawing)
        for variable in model.trainable_variables
    ]


def _share(block: int, thawing: Thawing) -> float:
    return thawing.rate_share * thawing.decay ** (BLOCKS - block) if block else 1.0
