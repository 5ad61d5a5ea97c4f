"""What a retraining takes over from its base bundle: the recipe and the backbone."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from listener.detection.bundle import Bundle, BundleError
from listener.detection.features import log_mel_patches
from trainer.errors import BackboneError
from trainer.model.backbones import Backbone, BundleBackbone, open_backbone
from trainer.model.settings import FitSettings
from trainer.provenance import provenance_of
from trainer.training.recipe import Recipe

log = logging.getLogger(__name__)

# A false alarm at a logit of 12 is to come down: at the 2e-3 of `trainer fit` it stayed over 0
LEARNING_RATE = 1e-2
_SAME = 1e-3  # of the largest embedding


def recipe_of(base: Bundle) -> Recipe:
    """The base's recipe, so that its cached embeddings are found again, else the default one.

    The head is always linear.
    """
    known = provenance_of(base.manifest).get("lesson")
    try:
        recipe = Recipe() if known is None else TypeAdapter(Recipe).validate_python(known)
    except ValidationError:  # of an older version, with other choices
        recipe = Recipe()
    settings = FitSettings(
        activation=base.manifest.activation, learning_rate=LEARNING_RATE, seed=recipe.seed
    )
    return replace(recipe, heads=1, fit=settings)


def open_base_backbone(base: Bundle) -> Backbone:
    """The backbone that the base was made of, whose embeddings are cached, if it is there; else its own.

    Raises:
        BundleError: the base's own cannot be used.
    """
    features = base.manifest.features
    own = BundleBackbone(base.path)
    handle = provenance_of(base.manifest).get("backbone")
    if not isinstance(handle, str) or not Path(handle).is_dir():
        return own
    timed = provenance_of(base.manifest).get("timed", False)
    try:
        made_of = open_backbone(
            handle, features.patch_hop_seconds, features.preprocessing, timed=timed
        )
    except (BackboneError, BundleError) as error:  # the directory holds something else now
        log.info("embedding with the bundle itself: %s", error)
        return own
    # another embedding: blocks were thawed, or the directory holds another network now
    if made_of.features != own.features or made_of.embedding_size != own.embedding_size:
        return own
    patches = log_mel_patches(base.read_golden().waveform, own.features)
    expected = own.embed(patches)
    difference = np.abs(made_of.embed(patches) - expected).max()
    return made_of if difference <= _SAME * np.abs(expected).max() else own
