"""A taught network as a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras

from listener.detection.bundle import Bundle, Manifest
from listener.detection.policy import LabelPolicy
from trainer.config import Storage
from trainer.evaluation.regression import REGRESSION_FILE, RegressionSet
from trainer.evaluation.unseen import TRAINING_FILES
from trainer.export import export_bundle
from trainer.labels import make_labels, slug_of
from trainer.model.progress import describe
from trainer.report.card.card import make_card
from trainer.report.card.leak import LEAK
from trainer.teaching.leak import Leak
from trainer.teaching.lesson import Lesson
from trainer.teaching.material import Material
from trainer.teaching.memory import MEMORY_FILE, memory_bytes, remember
from trainer.teaching.teach import Taught

DEFAULT_POLICY = LabelPolicy()  # until `trainer calibrate` has heard the user's own background


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a training began: the data sets, the handle of the backbone, and the folds.

    `licences` is by data set.
    """

    data: tuple[str, ...]
    licences: Mapping[str, str]
    backbone: str
    folds: tuple[int, ...]
    validation_fold: int | None
    timed: bool = False  # see `open_backbone`


def write_taught(
    out: Path,
    network: keras.Model,
    taught: Taught,
    learnt: Material,
    lesson: Lesson,
    origin: Origin,
    storage: Storage,
    leak: Leak | None = None,
    held_back: RegressionSet | None = None,
) -> Bundle:
    """Write the bundle of the taught network, its provenance and its card.

    A `leak` that was measured is shown as a warning; clips that were `held_back` go into the bundle.

    Raises:
        TargetError, ParityError, BundleError: see `export_bundle`.
    """
    labels = make_labels(taught.classes)
    manifest = Manifest(
        name=slug_of(out.name),
        version=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=labels,
        policies={label.slug: DEFAULT_POLICY for label in labels},
        features=learnt.clips.features,
        activation=lesson.fit.activation,
        provenance=_provenance(taught, learnt, lesson, origin)
        | ({} if leak is None else {LEAK: asdict(leak)}),
    )
    files = {} if held_back is None else {REGRESSION_FILE: held_back.to_bytes()}
    if taught.thawed is None:  # else these are not the embeddings that the bundle will give
        files[MEMORY_FILE] = memory_bytes(remember(learnt.clips))
    return export_bundle(out, network, manifest, make_card(manifest), storage, files=files)


def _provenance(taught: Taught, learnt: Material, lesson: Lesson, origin: Origin) -> dict[str, Any]:
    first = taught.histories[0].best
    return asdict(origin) | {
        "clips": len(learnt.clips.clips),
        "left_out": [f"{each.path}: {each.reason}" for each in learnt.clips.quarantined],
        "validation": describe(first) if first.accuracy is not None else "none",
        "learning_curves": [[asdict(e) for e in each.epochs] for each in taught.histories],
        "lesson": asdict(lesson),
        TRAINING_FILES: sorted({embedded.digest for embedded in learnt.clips.clips}),
    }
