"""A trial's parameters -> the lesson that they stand for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trainer.augment.augmentation import Augmentation
from trainer.model.settings import FitSettings, HeadShape, Thawing
from trainer.search.places import Params
from trainer.training.recipe import Lesson

# Few and named, so that what they give is embedded once and then found in the cache.
AUGMENTATIONS = {
    "default": Augmentation(),
    "room": Augmentation(reverb_chance=0.5),
    "strong": Augmentation(
        gain_db=(-12.0, 12.0), pitch_chance=0.5, reverb_chance=0.5, snr_db=(-5.0, 20.0)
    ),
}


def make_lesson(params: Params, base: Lesson) -> Lesson:
    """A lesson with these parameters; all else is as in `base`."""
    fit = replace(
        base.fit,
        head=HeadShape(params["hidden"], params["dropout"]),
        thawing=replace(base.fit.thawing, blocks=params.get("thawed_blocks", 0)),
        learning_rate=params["learning_rate"],
        weight_decay=params["weight_decay"],
        mixup_alpha=params["mixup_alpha"],
    )
    return replace(
        base,
        fit=fit,
        augmentation=AUGMENTATIONS[params["augmentation"]],
        copies=params["copies"],
        repeats=params["repeats"],
        batch_size=params["batch_size"],
    )


def default_params() -> dict[str, Any]:
    """Those of `trainer fit`."""
    lesson, fit = Lesson(), FitSettings()
    return {
        "learning_rate": fit.learning_rate,
        "batch_size": lesson.batch_size,
        "hidden": fit.head.hidden,
        "dropout": fit.head.dropout,
        "weight_decay": fit.weight_decay,
        "mixup_alpha": fit.mixup_alpha,
        "augmentation": "default",
        "copies": lesson.copies,
        "repeats": lesson.repeats,
        "thawed_blocks": Thawing().blocks,
    }
