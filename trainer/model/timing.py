"""YAMNet's embedding with what still tells time: its last map before the patch becomes one."""

from __future__ import annotations

from pathlib import Path

import keras

from listener.detection.params import FeatureParams
from trainer.model.yamnet import load_yamnet

# the last layer before the stride to 3 steps: 6 steps of 0.16 s, 4 bands, 512 channels
_STEPS_LAYER = "layer12_pointwise_relu"


def load_timed_yamnet(saved_model: Path, params: FeatureParams) -> keras.Model:
    """Patches (B, 96, 64) -> embeddings and 6 steps of the patch's time, (B, 1024 + 6 x 512).

    A mean over 0.96 s cannot tell when in it something sounded. The steps can, so that a head on them
    learns what sounds at the patch's centre, which is what its slot is about.

    Raises:
        BackboneError: see `load_yamnet`.
    """
    yamnet = load_yamnet(saved_model, params)
    steps = yamnet.get_layer(_STEPS_LAYER).output  # (B, 6, 4, 512)
    steps = keras.layers.AveragePooling2D((1, steps.shape[2]), name="steps")(steps)
    joined = keras.layers.Concatenate(name="embeddings_and_steps")(
        [yamnet.output["embeddings"], keras.layers.Flatten()(steps)]
    )
    return keras.Model(yamnet.input, joined, name="timed_yamnet")
