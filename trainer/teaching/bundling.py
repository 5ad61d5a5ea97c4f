"""A taught network as a bundle."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras

from listener.detection.bundle import Bundle, Manifest
from listener.detection.policy import LabelPolicy
from trainer.config import Storage
from trainer.evaluation.unseen import TRAINING_FILES
from trainer.export import export_bundle
from trainer.labels import make_labels, slug_of
from trainer.model.progress import describe
from trainer.teaching.lesson import Lesson
from trainer.teaching.material import Material
from trainer.teaching.teach import Taught

DEFAULT_POLICY = LabelPolicy()  # until `trainer calibrate` has heard the user's own background

_CARD = """\
# {name}

{count} classes, learnt by `trainer fit` from {clips} clips, on the embeddings of `{backbone}`.

- Classes: {classes}.
- Scores: {activation}; a clip's score is the mean over its patches.
- Folds: {folds}; of them, {validation_fold} told when to stop.
- Validation, before it was learnt from as well: {validation}.
- Left out as unusable: {left_out}.

The thresholds are not calibrated: every label opens at {policy.on_threshold} and closes at
{policy.off_threshold}. `trainer calibrate` chooses them by how many false alarms you will bear,
`trainer evaluate` says how well the bundle does on data that it has not seen.
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a training began: the data sets, the handle of the backbone, and the folds."""

    data: tuple[str, ...]
    backbone: str
    folds: tuple[int, ...]
    validation_fold: int | None


def write_taught(
    out: Path,
    network: keras.Model,
    taught: Taught,
    learnt: Material,
    lesson: Lesson,
    origin: Origin,
    storage: Storage,
) -> Bundle:
    """Write the bundle of the taught network, its provenance and its card.

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
        provenance=_provenance(taught, learnt, lesson, origin),
    )
    return export_bundle(out, network, manifest, _card(manifest), storage)


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


def _card(manifest: Manifest) -> str:
    known = manifest.provenance
    return _CARD.format(
        name=manifest.name,
        count=len(manifest.labels),
        clips=known["clips"],
        backbone=known["backbone"],
        classes=", ".join(label.name for label in manifest.labels),
        activation=manifest.activation,
        folds=", ".join(map(str, known["folds"])),
        validation_fold=known["validation_fold"],
        validation=known["validation"],
        left_out=len(known["left_out"]) or "nothing",
        policy=DEFAULT_POLICY,
    )
