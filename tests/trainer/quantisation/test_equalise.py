"""Equalised channels give the same scores from activations of similar range."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from trainer.export.bundle import golden_waveform
from trainer.quantisation.equalise import channel_factors, equalise

PARAMS = FeatureParams()
PATCHES = log_mel_patches(golden_waveform(PARAMS.sample_rate_hz), PARAMS)


def floats(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def test_before_a_depthwise_layer_all_channels_become_as_wide():
    """The geometric mean of 1, 4 and 16 is 4."""
    factors = channel_factors(floats(1.0, 4.0, 16.0), None)
    assert factors == pytest.approx([0.25, 1.0, 4.0])


def test_a_nearly_silent_channel_does_not_get_a_huge_factor():
    """Of 1e-9 and 1 the first counts as 0.01, and their mean is 0.1."""
    assert channel_factors(floats(1e-9, 1.0), None) == pytest.approx([0.1, 10.0])


def test_before_a_pointwise_layer_the_kernel_limits_the_factors():
    """Activations of 1 and 32: 32 ** 0.6 = 8; a kernel's rows of 1 and 1/32 add 32 ** 0.4 = 4."""
    alike = np.ones((1, 1, 2, 5), np.float32)
    assert channel_factors(floats(1.0, 32.0), alike) == pytest.approx([8**-0.5, 8**0.5])
    unlike = alike * floats(1.0, 1 / 32)[:, None]
    assert channel_factors(floats(1.0, 32.0), unlike) == pytest.approx([32**-0.5, 32**0.5])


def signature(path: Path) -> tuple[tf.Module, dict[str, NDArray[np.float32]]]:
    model = tf.saved_model.load(str(path))
    outputs = model.signatures["patches"](patches=tf.constant(PATCHES))
    return model, {name: tensor.numpy() for name, tensor in outputs.items()}


def test_yamnet_gives_the_same_scores_and_embeddings_from_other_weights(
    yamnet_bundle: Bundle, tmp_path: Path
):
    saved_model = yamnet_bundle.path / "saved_model"
    out = equalise(saved_model, PATCHES, PARAMS, tmp_path / "equalised")
    (before, expected), (after, found) = signature(saved_model), signature(out)
    for name in ("scores", "embeddings"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)
    kernels = [
        next(
            variable.numpy()
            for variable in model.signatures["patches"].variables
            if variable.name.startswith("layer3_depthwise/kernel")
        )
        for model in (before, after)
    ]
    assert np.abs(kernels[0] - kernels[1]).max() > 0.1


def test_another_network_is_left_unchanged(tones_bundle: Bundle, tmp_path: Path):
    saved_model = tones_bundle.path / "saved_model"
    assert equalise(saved_model, PATCHES, PARAMS, tmp_path / "equalised") == saved_model
    assert list(tmp_path.iterdir()) == []
