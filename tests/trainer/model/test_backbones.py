"""Three kinds of backbone behind one protocol; anything else is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from trainer.errors import BackboneError
from trainer.export.saved_model import tf_log_mel_patches
from trainer.model.backbones import Backbone, BundleBackbone, open_backbone
from trainer.model.network import compress

VGGISH = FeatureParams(log_offset=0.01, patch_hop_seconds=0.96)
NOISE = np.random.default_rng(0).normal(0.0, 0.1, 5 * 16_000).astype(np.float32)


class VggishStandIn(tf.Module):  # type: ignore[misc]
    """TF Hub's signature: called with a waveform, gives (n, 128), one row for each 0.96 s."""

    def __init__(self, features: FeatureParams = VGGISH) -> None:
        super().__init__()
        self._features = features
        shape = (features.patch_frames, features.mel_bands, 128)
        self.weights = tf.Variable(tf.random.stateless_normal(shape, (1, 2)) / 100)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32)])
    def __call__(self, waveform):
        patches = tf_log_mel_patches(waveform, self._features)
        images = tf.reshape(patches, (-1, 96, 64, 1))
        return tf.nn.relu(tf.einsum("nfbc,fbd->nd", images, self.weights))


def save(path: Path, module: tf.Module) -> str:
    tf.saved_model.save(module, str(path))
    return str(path)


@pytest.fixture(scope="module")
def vggish(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("vggish"), VggishStandIn())


def assert_net_gives_what_embed_gives(backbone: Backbone) -> None:
    patches = log_mel_patches(NOISE, backbone.features)
    embeddings = backbone.embed(patches)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (len(patches), backbone.embedding_size)
    net = backbone.build_net()
    np.testing.assert_allclose(net(patches), embeddings, atol=1e-4)
    np.testing.assert_allclose(backbone.embed(patches[3:4]), embeddings[3:4], atol=1e-4)
    assert backbone.embed(patches[:0]).shape == (0, backbone.embedding_size)


def test_a_bundle_is_a_backbone(tones_bundle: Bundle):
    """Its embedding is the mean of the patch over time."""
    backbone = open_backbone(str(tones_bundle.path))
    assert isinstance(backbone, BundleBackbone)
    assert backbone.embedding_size == 64
    assert_net_gives_what_embed_gives(backbone)
    patches = log_mel_patches(NOISE, backbone.features)
    np.testing.assert_allclose(backbone.embed(patches), patches.mean(axis=1), atol=1e-4)


def test_yamnets_saved_model_is_a_backbone(shared: Path):
    backbone = open_backbone(str(shared / "models" / "yamnet"))
    assert backbone.embedding_size == 1024
    assert_net_gives_what_embed_gives(backbone)


def test_a_saved_model_that_takes_a_waveform_is_a_backbone(vggish: str):
    backbone = open_backbone(vggish, 0.96)
    assert backbone.embedding_size == 128
    assert backbone.features == VGGISH
    assert_net_gives_what_embed_gives(backbone)
    whole = tf.saved_model.load(vggish)(NOISE)
    patches = log_mel_patches(NOISE, backbone.features)
    np.testing.assert_allclose(backbone.embed(patches), whole, rtol=1e-3, atol=1e-3)


def test_any_hop_is_accepted(vggish: str):
    assert open_backbone(vggish, 0.24).features.patch_hop_seconds == 0.24


def test_the_id_depends_on_weights_and_front_end(vggish: str, tones_bundle: Bundle):
    first, again, finer = (open_backbone(vggish, hop).id for hop in (0.96, 0.96, 0.48))
    assert first == again != finer
    ids = {BundleBackbone(tones_bundle.path, hop).id for hop in (0.48, 0.24)}
    assert len(ids) == 2
    assert len(first) == 64


def test_another_front_end_is_refused(tmp_path: Path):
    other = VggishStandIn(FeatureParams(log_offset=1.0, patch_hop_seconds=0.96))
    with pytest.raises(BackboneError, match="expected the front end FeatureParams"):
        open_backbone(save(tmp_path, other))


class NoPatches(tf.Module):  # type: ignore[misc]
    def __init__(self, columns: int) -> None:
        super().__init__()
        self.weights = tf.Variable(tf.ones((1, columns)))

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32)])
    def __call__(self, waveform):
        return waveform[:, tf.newaxis] @ self.weights


class WrongRank(NoPatches):
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32)])
    def __call__(self, waveform):
        return waveform * tf.reduce_sum(self.weights)


class WrongInput(NoPatches):
    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)])
    def __call__(self, waveform):
        return waveform * tf.reduce_sum(self.weights)


class NotCallable(tf.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(1.0)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (NoPatches(128), r"expected log-mel patches \[96, 64\] inside, found none"),
        (WrongRank(1), r"expected float32 \(patches, D\), found float32 \(None,\)"),
        (WrongInput(1), r"expected to be called with a waveform, float32 \(n,\)"),
        (NotCallable(), "expected a model that is called with a waveform"),
    ],
)
def test_other_saved_models_are_refused(tmp_path: Path, module: tf.Module, message: str):
    with pytest.raises(BackboneError, match=message):
        open_backbone(save(tmp_path, module))


def test_an_empty_directory_is_refused(tmp_path: Path):
    with pytest.raises(BackboneError, match="expected a SavedModel with variables/"):
        open_backbone(str(tmp_path))


def test_timed_embeddings_hold_the_time_within_a_patch(shared: Path):
    """A linear regression on them locates a tone of 0.3 s twice as exactly as on plain embeddings."""
    backbone = open_backbone(str(shared / "models" / "yamnet"), timed=True)
    plain = open_backbone(str(shared / "models" / "yamnet"))
    assert backbone.embedding_size == plain.embedding_size + 6 * 512
    assert backbone.id != plain.id
    random = np.random.default_rng(0)
    starts = random.integers(0, backbone.features.window_samples - 4800, 120)
    windows = [_with_a_tone(int(start), random) for start in starts]
    patches = np.concatenate([log_mel_patches(each, backbone.features) for each in windows])
    embeddings, seconds = backbone.embed(patches), starts / 16_000
    timed, untimed = _mean_error(embeddings, seconds), _mean_error(embeddings[:, :1024], seconds)
    assert timed < 0.5 * untimed


def _with_a_tone(start: int, random: np.random.Generator) -> NDArray[np.float32]:
    window = random.normal(0.0, 0.003, 15_600)
    phase = 2 * np.pi * random.uniform(500.0, 3000.0) * np.arange(4800) / 16_000
    window[start : start + 4800] += 0.2 * np.sin(phase)
    return window.astype(np.float32)


def _mean_error(embeddings: NDArray[np.float32], seconds: NDArray[np.float64]) -> float:
    """Ridge regression on the first half, tested on the second; seconds."""
    trained, tested = np.split(np.asarray(compress(embeddings), np.float64), 2)
    mean, deviation = trained.mean(axis=0), trained.std(axis=0) + 0.1
    trained, tested = (trained - mean) / deviation, (tested - mean) / deviation
    known, expected = np.split(seconds, 2)
    penalty = 0.05 * trained.shape[1] * np.eye(len(trained))
    weights = trained.T @ np.linalg.solve(trained @ trained.T + penalty, known - known.mean())
    return float(np.abs(tested @ weights + known.mean() - expected).mean())


def test_only_yamnet_has_timed_embeddings(tones_bundle: Bundle):
    with pytest.raises(BackboneError, match="expected YAMNet's SavedModel for timed embeddings"):
        open_backbone(str(tones_bundle.path), timed=True)
