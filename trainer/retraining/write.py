"""A corrected head as a bundle, one version on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from listener.detection import bundle, policy
from trainer.evaluation import operating_points, regression
from trainer.export.bundle import export_bundle
from trainer.model_card import make_card
from trainer.provenance import (
    Provenance,
    provenance_of,
    to_document,
    with_introduction,
    without,
)
from trainer.retraining import cross_validation, linear_head, regression_check, training_set
from trainer.training.sampling import MEMORY_FILE, memory_bytes


@dataclass(frozen=True, slots=True)
class RetrainingRecord:
    """What the provenance of the new bundle says of its retraining, in these fields.

    `raised` has the thresholds before and after, by label.
    """

    base: str
    clips: str
    verdicts: int
    ambient: int
    rehearsal: str
    new_labels: tuple[str, ...]
    certificate: regression_check.RegressionCheck
    doubts: tuple[cross_validation.LabelDoubt, ...]
    false_alarms_per_day: float
    raised: Mapping[str, tuple[float, float]]
    alarms: operating_points.AlarmRate | None


def write_retrained(
    out: Path,
    version: int,
    data: training_set.CorrectionData,
    head: linear_head.LinearHead,
    policies: Mapping[str, policy.LabelPolicy],
    record: RetrainingRecord,
) -> bundle.Bundle:
    """The base with another head, and what is known of it, except what was measured of the base alone.

    Raises:
        TargetError, ParityError, BundleError: see `export_bundle`.
    """
    before = data.base.manifest
    new = (
        bundle.Label(slug, slug.replace("_", " ").capitalize()) for slug in data.verdicts.new_labels
    )
    manifest = replace(
        before,
        version=version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=(*before.labels, *new),
        policies=dict(policies),
        files={},
        provenance=dict(_provenance(data, record)),
    )
    files = {}
    if (held_out := data.next_held_out()) is not None:
        files[regression.REGRESSION_FILE] = held_out.to_bytes()
    if (memory := data.next_memory()) is not None:
        files[MEMORY_FILE] = memory_bytes(memory)
    net = data.builder.backbone.build_net()
    model = head.build(net, before.activation, len(manifest.labels))
    return export_bundle(out, model, manifest, make_card(manifest), files=files)


def _provenance(data: training_set.CorrectionData, record: RetrainingRecord) -> Provenance:
    ambient_files = {each.digest for each in data.ambient.clips}
    training_files = ambient_files | {each.digest for each in data.judged_clips.clips}
    known = provenance_of(data.base.manifest)
    kept = without(known, "evaluation", "calibration", "leak", "station")  # of the base alone
    return {
        **with_introduction(kept, data.base.path),
        "retraining": to_document(record),
        "training_files": sorted(training_files.union(known.get("training_files", ()))),
        "calibration_files": sorted(ambient_files.union(known.get("calibration_files", ()))),
        "held_files": sorted(data.holdout.files),
    }
