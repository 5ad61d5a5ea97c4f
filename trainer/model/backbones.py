"""Backbones: networks whose published weights turn patches into embeddings."""

import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from listener.detection.bundle import MANIFEST_FILE, MODEL_FILE, read_bundle
from listener.detection.params import FeatureParams, Preprocessing
from listener.engines.litert import LiteRTEngine
from trainer.data.patches import Embedder
from trainer.errors import BackboneError
from trainer.model.fine_tuning import read_patches_net, read_waveform_net
from trainer.model.yamnet import holds_yamnet, load_yamnet, load_yamnet_embedder

log = logging.getLogger(__name__)

Embeddings = NDArray[np.float32]
Patches = NDArray[np.float32]
ReadNet = Callable[[Path, FeatureParams], keras.Model]

# the last layer before the stride to 3 steps: 6 steps of 0.16 s, 4 bands, 512 channels
_STEPS_LAYER = "layer12_pointwise_relu"
EMBED_BATCH = 32  # patches at once: 3 MB for YAMNet's largest layer; more is no faster on a CPU
VGGISH_LOG_OFFSET = 0.01  # `vggish_params.py` of its reference; all else is YAMNet's front end


class Backbone(Embedder, Protocol):
    """An embedder whose network can be built again, to be exported or fine-tuned."""

    def build_net(self) -> keras.Model:
        """A new network at each call: patches (B, frames, bands) -> embeddings (B, D).

        It goes into an exported bundle; YAMNet's can be fine-tuned.
        """
        ...


class KerasBackbone:
    """A `Backbone` that runs in TensorFlow: YAMNet, or the network of a frozen SavedModel."""

    def __init__(
        self, saved_model: Path, read_net: ReadNet, features: FeatureParams | None = None
    ) -> None:
        self.features = features or FeatureParams()
        # the variables only: a SavedModel's graph file differs each time it is written
        variables = sorted((saved_model / "variables").iterdir())
        content = (file.read_bytes() for file in variables)
        self.id = _identify(chain([read_net.__name__.encode()], content), self.features)
        self._saved_model, self._read_net = saved_model, read_net
        net = self.build_net()
        self.embedding_size = int(net.output_shape[-1])
        shape = (None, self.features.patch_frames, self.features.mel_bands)
        self._infer = tf.function(
            partial(net, training=False), input_signature=[tf.TensorSpec(shape, tf.float32)]
        )

    def embed(self, patches: Patches) -> Embeddings:
        """See `Backbone`."""
        return _embed_in_batches(
            lambda batch: self._infer(batch).numpy(), patches, self.embedding_size
        )

    def build_net(self) -> keras.Model:
        """See `Backbone`."""
        return self._read_net(self._saved_model, self.features)


class BundleBackbone:
    """A `Backbone` from one of our bundles; it runs in LiteRT, in two thirds of TensorFlow's time.

    Raises:
        BundleError: not a bundle.
    """

    def __init__(
        self,
        path: Path,
        patch_hop_seconds: float | None = None,
        threads: int = 1,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        self._bundle = read_bundle(path)
        manifest = self._bundle.manifest
        own = manifest.features
        self.features = replace(
            own,
            patch_hop_seconds=patch_hop_seconds or own.patch_hop_seconds,
            preprocessing=preprocessing or own.preprocessing,
        )
        self.id = _identify([manifest.files[MODEL_FILE].encode()], self.features)
        self._engine = LiteRTEngine(self._bundle.model_path, threads)
        silence = np.zeros((1, self.features.patch_frames, self.features.mel_bands), np.float32)
        self.embedding_size = self._engine.infer(silence)[1].shape[1]

    def embed(self, patches: Patches) -> Embeddings:
        """See `Backbone`."""
        return _embed_in_batches(
            lambda batch: self._engine.infer(batch)[1], patches, self.embedding_size
        )

    def build_net(self) -> keras.Model:
        """See `Backbone`.

        Raises:
            BackboneError: the bundle has no SavedModel.
        """
        saved_model = self._bundle.saved_model_path
        if saved_model is None:
            raise BackboneError(f"{self._bundle.path}: expected a bundle with saved_model/")
        return read_patches_net(saved_model, self.features)


def open_backbone(
    handle: str,
    patch_hop_seconds: float = 0.48,
    preprocessing: Preprocessing | None = None,
    *,
    timed: bool = False,
) -> Backbone:
    """The backbone of a bundle, of YAMNet's SavedModel, or of one that takes a waveform (VGGish).

    `handle` is a directory or a TF Hub URL. The default `preprocessing` is the bundle's, and none for the
    others. `timed`: embeddings with the time within a patch, see `load_timed_yamnet`.

    Raises:
        BackboneError: it is none of the three, or not YAMNet's SavedModel if timed.
        BundleError: a bundle that cannot be used.
    """
    path = resolve_handle(handle)
    if timed and ((path / MANIFEST_FILE).is_file() or not holds_yamnet(path)):
        raise BackboneError(f"{handle}: expected YAMNet's SavedModel for timed embeddings")
    if (path / MANIFEST_FILE).is_file():
        return BundleBackbone(path, patch_hop_seconds, preprocessing=preprocessing)
    features = FeatureParams(
        patch_hop_seconds=patch_hop_seconds, preprocessing=preprocessing or Preprocessing()
    )
    if holds_yamnet(path):
        read_net = load_timed_yamnet if timed else load_yamnet_embedder
        return KerasBackbone(path, read_net, features)
    return KerasBackbone(path, read_waveform_net, replace(features, log_offset=VGGISH_LOG_OFFSET))


def resolve_handle(handle: str) -> Path:
    """The directory of a SavedModel: the handle itself, or what TF Hub downloads for a URL.

    Raises:
        BackboneError: neither a directory nor a URL that TF Hub can resolve.
    """
    if Path(handle).is_dir():
        return Path(handle)
    if "://" not in handle:
        raise BackboneError(f"{handle}: expected a SavedModel directory or a TF Hub URL")
    log.info("resolving %s", handle)
    with warnings.catch_warnings():
        # tensorflow-hub 0.16.1 imports the deprecated pkg_resources
        warnings.simplefilter("ignore")
        import tensorflow_hub  # noqa: PLC0415 - needed only here, and only for a URL
    try:
        return Path(tensorflow_hub.resolve(handle))
    # no connection and a wrong archive are OSErrors; the others are schemes that are not supported
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise BackboneError(f"{handle}: TF Hub cannot resolve it: {error}") from error


def load_timed_yamnet(saved_model: Path, params: FeatureParams) -> keras.Model:
    """Patches (B, 96, 64) -> embeddings and 6 steps of the patch's time, (B, 1024 + 6 x 512).

    An embedding is a mean over 0.96 s and does not say when in it something sounded. The steps, YAMNet's
    last feature map before that mean, do, so that a head can learn what sounds at the patch's centre,
    which is what its slot is about.

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


def _embed_in_batches(
    embed: Callable[[Patches], Embeddings], patches: Patches, embedding_size: int
) -> Embeddings:
    embeddings = np.empty((len(patches), embedding_size), np.float32)
    for start in range(0, len(patches), EMBED_BATCH):
        batch = slice(start, start + EMBED_BATCH)
        embeddings[batch] = embed(patches[batch])
    return embeddings


def _identify(content: Iterable[bytes], features: FeatureParams) -> str:
    digest = hashlib.sha256(json.dumps(asdict(features), sort_keys=True).encode())
    for part in content:
        digest.update(part)
    return digest.hexdigest()
