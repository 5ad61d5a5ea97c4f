"""The last layer of a bundle as matrices: read, extended, and built again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine
from tests.trainer.training.tones import tone
from trainer.errors import BackboneError
from trainer.model.backbones import BundleBackbone
from trainer.retraining.linear_head import LinearHead, read_head, squash

TWO_BY_TWO = np.eye(2, dtype=np.float32)
HEAD = LinearHead(TWO_BY_TWO, 0 * TWO_BY_TWO, np.array([0.0, 1.0], np.float32))


def test_logits_are_weighted_sums():
    np.testing.assert_allclose(HEAD.logits(np.array([[2.0, 3.0]], np.float32)), [[2.0, 4.0]])


def test_scores_are_shares_or_independent():
    logits = np.log(np.array([[1.0, 3.0]], np.float32))
    np.testing.assert_allclose(squash(logits, "softmax"), [[0.25, 0.75]], rtol=1e-6)
    np.testing.assert_allclose(squash(logits, "sigmoid"), [[0.5, 0.75]], rtol=1e-6)


def test_a_new_output_starts_at_one_in_twenty():
    embeddings = np.array([[2.0, -1.0]], np.float32)
    logit = HEAD.unlikely_logit(embeddings, "softmax")
    scores = HEAD.with_outputs([1, None, 0], logit).scores(embeddings, "softmax")
    assert scores[0, 1] == pytest.approx(0.05 / 1.05)
    old = scores[:, [2, 0]] / scores[:, [2, 0]].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(old, HEAD.scores(embeddings, "softmax"), atol=1e-5)


@pytest.mark.parametrize("made_by", ["fit", "hand"])
def test_the_head_of_a_bundle_gives_its_scores(made_by: str, base: Bundle, tones_bundle: Bundle):
    """On compressed embeddings with a background, and on raw ones with independent scores."""
    bundle = base if made_by == "fit" else tones_bundle
    head = read_head(bundle)
    patches = log_mel_patches(tone(700.0, 0.3), bundle.manifest.features)
    scores, embeddings = LiteRTEngine(bundle.model_path).infer(patches)
    found = head.scores(embeddings, bundle.manifest.activation)
    np.testing.assert_allclose(found[:, : len(bundle.labels)], scores, atol=1e-4)
    assert head.outputs == (3 if made_by == "fit" else len(bundle.labels))


def test_a_head_of_both_kinds_of_embeddings_is_built(tones_bundle: Bundle):
    raw = read_head(tones_bundle)
    both = replace(raw, compressed=raw.raw / np.float32(2.0))
    backbone = BundleBackbone(tones_bundle.path)
    patches = log_mel_patches(tone(700.0, 0.3), backbone.features)
    outputs = both.build(backbone.build_net(), "sigmoid", 2)(patches)
    expected = both.scores(backbone.embed(patches), "sigmoid")
    np.testing.assert_allclose(outputs["scores"], expected[:, :2], atol=1e-5)


def test_a_head_that_is_not_linear_is_refused(tones_bundle: Bundle, base: Bundle):
    """Scores that the matrices do not give stand for a head with more layers."""
    odd = Bundle(base.path, replace(base.manifest, activation="sigmoid"))
    with pytest.raises(BackboneError, match="expected a linear head on the embeddings"):
        read_head(odd)
    files = {"model.tflite": tones_bundle.manifest.files["model.tflite"]}
    with pytest.raises(BackboneError, match="expected a bundle with saved_model/, found none"):
        read_head(Bundle(tones_bundle.path, replace(tones_bundle.manifest, files=files)))
