"""What a retraining takes over from its base: the lesson, the backbone, the budget."""

from __future__ import annotations

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
DEFAULT_FALSE_ALARMS_PER_DAY = 1.0


def lesson_of(base: Bundle) -> Recipe:
    """The lesson by which the base learnt, so that its cached embeddings are found again, else the default.

    The head is always linear.
    """
    known = provenance_of(base.manifest).get("lesson")
    try:
        lesson = Recipe() if known is None else TypeAdapter(Recipe).validate_python(known)
    except ValidationError:  # of an older version, with other choices
        lesson = Recipe()
    settings = FitSettings(
        activation=base.manifest.activation, learning_rate=LEARNING_RATE, seed=lesson.seed
    )
    return replace(lesson, heads=1, fit=settings)


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
    except (BackboneError, BundleError) as error:  # something else lies there now
        log.info("embedding with the bundle itself: %s", error)
        return own
    return made_of if _gives_the_same(made_of, own, base) else own


def _gives_the_same(one: Backbone, other: Backbone, base: Bundle) -> bool:
    """Not when blocks were thawed, or another network lies there now."""
    if one.features != other.features or one.embedding_size != other.embedding_size:
        return False
    patches = log_mel_patches(base.read_golden().waveform, other.features)
    expected = other.embed(patches)
    return bool(np.abs(one.embed(patches) - expected).max() <= _SAME * np.abs(expected).max())


# How many false alarms a bundle was made to give at most.


def budget_of(bundle: Bundle) -> float:
    """False alarms a day of all labels together, by its calibration."""
    known = provenance_of(bundle.manifest)
    last = known.get("retraining") or known.get("calibration")
    return DEFAULT_FALSE_ALARMS_PER_DAY if last is None else float(last["false_alarms_per_day"])
