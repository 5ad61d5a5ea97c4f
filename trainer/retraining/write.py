"""A corrected head as a bundle, one version on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from listener.detection.bundle import Bundle, Label
from listener.detection.policy import LabelPolicy
from trainer.evaluation.operating_points import AlarmRate
from trainer.evaluation.regression import REGRESSION_FILE, RegressionSet
from trainer.export.bundle import export_bundle
from trainer.model.backbones import Backbone
from trainer.model_card import make_card
from trainer.provenance import (
    Provenance,
    provenance_of,
    to_document,
    with_introduction,
    without,
)
from trainer.retraining.label_review import LabelDoubt
from trainer.retraining.linear_head import LinearHead
from trainer.retraining.regression_check import RegressionCheck
from trainer.training.sampling import MEMORY_FILE, Embeddings, memory_bytes


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learnt of which store; `raised` is label to threshold, before and after."""

    base: str
    clips: str
    verdicts: int
    ambient: int
    rehearsal: str
    new_labels: tuple[str, ...]
    certificate: RegressionCheck
    doubts: tuple[LabelDoubt, ...]
    false_alarms_per_day: float
    raised: Mapping[str, tuple[float, float]]
    alarms: AlarmRate | None


@dataclass(frozen=True, slots=True)
class Corrected:
    """All that the new bundle is made of; files are SHA-256.

    `training_files` are what it learnt from, `held_files` what nothing is to learn from.
    """

    head: LinearHead
    policies: Mapping[str, LabelPolicy]
    held_out: RegressionSet | None
    memory: Embeddings | None
    lessons: Learned
    training_files: frozenset[str]
    ambient_files: frozenset[str]
    held_files: frozenset[str]


def write_corrected(
    out: Path, base: Bundle, backbone: Backbone, corrected: Corrected, version: int
) -> Bundle:
    """The bundle with what is known of the base, except what was measured of the base alone.

    Raises:
        TargetError, ParityError, BundleError: see `export_bundle`.
    """
    before = base.manifest
    new = tuple(Label(slug, _name(slug)) for slug in corrected.lessons.new_labels)
    manifest = replace(
        before,
        version=version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=(*before.labels, *new),
        policies=dict(corrected.policies),
        files={},
        provenance=dict(_provenance(base, corrected)),
    )
    model = corrected.head.build(backbone.build_net(), before.activation, len(manifest.labels))
    return export_bundle(out, model, manifest, make_card(manifest), files=_files(corrected))


def _files(corrected: Corrected) -> dict[str, bytes]:
    files = {}
    if corrected.held_out is not None:
        files[REGRESSION_FILE] = corrected.held_out.to_bytes()
    if corrected.memory is not None:
        files[MEMORY_FILE] = memory_bytes(corrected.memory)
    return files


def _name(slug: str) -> str:
    return slug.replace("_", " ").capitalize()


def _provenance(base: Bundle, corrected: Corrected) -> Provenance:
    known = provenance_of(base.manifest)
    trained, calibrated = known.get("training_files", ()), known.get("calibration_files", ())
    kept = without(known, "evaluation", "calibration", "leak")  # of the base alone
    return {
        **with_introduction(kept, base.path),
        "retraining": to_document(corrected.lessons),
        "training_files": sorted(corrected.training_files.union(trained)),
        "calibration_files": sorted(corrected.ambient_files.union(calibrated)),
        "held_files": sorted(corrected.held_files),
    }
