"""What the head stands on: YAMNet's embedding, and its last map that still tells time."""

from __future__ import annotations

from pathlib import Path

import keras

from listener.detection.params import FeatureParams
from trainer.model.yamnet import load_yamnet, load_yamnet_embedder

# the last layer before the stride to 3 steps: 6 steps of 0.16 s, 4 bands, 512 channels
_STEPS_LAYER = "layer12_pointwise_relu"


def read_embedding_net(saved_model: Path, features: FeatureParams) -> keras.Model:
    """Patches (B, 96, 64) -> YAMNet's embeddings (B, 1024), which are means over the patch's time."""
    return load_yamnet_embedder(saved_model, features)


def read_steps_net(saved_model: Path, features: FeatureParams) -> keras.Model:
    """Patches (B, 96, 64) -> embeddings and 6 steps of the patch's time, (B, 1024 + 6 x 512).

    A mean over 0.96 s cannot tell when in it something sounded. The steps can, so that a head on them
    learns what sounds at the patch's centre, which is what its slot is about.
    """
    yamnet = load_yamnet(saved_model, features)
    steps = yamnet.get_layer(_STEPS_LAYER).output  # (B, 6, 4, 512)
    steps = keras.layers.AveragePooling2D((1, steps.shape[2]), name="steps")(steps)
    joined = keras.layers.Concatenate(name="embeddings_and_steps")(
        [yamnet.output["embeddings"], keras.layers.Flatten()(steps)]
    )
    return keras.Model(yamnet.input, joined, name="yamnet_steps")
