"""A corrected head as a bundle, one version on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from listener.detection.bundle import CARD_FILE, Bundle, Label
from listener.detection.policy import LabelPolicy
from trainer.evaluation.operating_points import AlarmRate
from trainer.evaluation.regression import REGRESSION_FILE
from trainer.evaluation.selection import CALIBRATION_FILES, HELD_FILES, TRAINING_FILES
from trainer.export.bundle import export_bundle
from trainer.report.figures import to_document
from trainer.report.model_card import (
    CALIBRATION,
    EVALUATION,
    LEAK,
    RETRAINING,
    make_card,
    with_introduction,
)
from trainer.retraining.cross_validation import LabelDoubt
from trainer.retraining.linear_head import LinearHead
from trainer.retraining.regression_check import RegressionCheck
from trainer.retraining.training_set import CorrectionData
from trainer.training.sampling import MEMORY_FILE, memory_bytes

_OF_THE_BASE_ALONE = (EVALUATION, CALIBRATION, LEAK)


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
    certificate: RegressionCheck
    doubts: tuple[LabelDoubt, ...]
    false_alarms_per_day: float
    raised: Mapping[str, tuple[float, float]]
    alarms: AlarmRate | None


def write_retrained(
    out: Path,
    version: int,
    data: CorrectionData,
    head: LinearHead,
    policies: Mapping[str, LabelPolicy],
    record: RetrainingRecord,
) -> Bundle:
    """The base with another head, and what is known of it, except what was measured of the base alone.

    Raises:
        TargetError, ParityError, BundleError: see `export_bundle`.
    """
    before = data.base.manifest
    new = (Label(slug, slug.replace("_", " ").capitalize()) for slug in data.verdicts.new_labels)
    manifest = replace(
        before,
        version=version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=(*before.labels, *new),
        policies=dict(policies),
        files={},
        provenance=_provenance(data, record),
    )
    files = {}
    if (held_out := data.next_held_out()) is not None:
        files[REGRESSION_FILE] = held_out.to_bytes()
    if (memory := data.next_memory()) is not None:
        files[MEMORY_FILE] = memory_bytes(memory)
    net = data.builder.backbone.build_net()
    model = head.build(net, before.activation, len(manifest.labels))
    return export_bundle(out, model, manifest, make_card(manifest), files=files)


def _provenance(data: CorrectionData, record: RetrainingRecord) -> dict[str, object]:
    ambient_files = {each.digest for each in data.ambient.clips}
    training_files = ambient_files | {each.digest for each in data.judged_clips.clips}
    known = data.base.manifest.provenance
    kept = {name: value for name, value in known.items() if name not in _OF_THE_BASE_ALONE}
    card = data.base.path / CARD_FILE
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    return with_introduction(kept, text) | {
        RETRAINING: to_document(record),
        TRAINING_FILES: sorted(training_files.union(known.get(TRAINING_FILES, ()))),
        CALIBRATION_FILES: sorted(ambient_files.union(known.get(CALIBRATION_FILES, ()))),
        HELD_FILES: sorted(data.holdout.files),
    }
