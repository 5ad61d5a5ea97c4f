"""When scores become events, and what may be claimed of false alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from listener.detection.bundle import Manifest
from listener.detection.policy import LabelPolicy
from trainer.report.words import listed

CALIBRATION = "calibration"  # in the provenance: a `Calibration` as a document


def policies(manifest: Manifest) -> str:
    """One row for each policy that differs, and the calibration's remarks."""
    by_policy: dict[LabelPolicy, list[str]] = {}
    for label in manifest.labels:
        by_policy.setdefault(manifest.policies[label.slug], []).append(label.slug)
    rows = "".join(map(_row, by_policy, by_policy.values()))
    return (
        f"## Policies\n\n{_origin(manifest.provenance)}\n\n"
        "| label | on | off | median, s | at least, s | gap, s |\n|---|---|---|---|---|---|\n"
        f"{rows}"
    )


def _row(policy: LabelPolicy, labels: list[str]) -> str:
    names = listed(labels) if len(labels) <= 3 else f"{len(labels)} labels"  # noqa: PLR2004
    return (
        f"| {names} | {policy.on_threshold:.3g} | {policy.off_threshold:.3g} "
        f"| {policy.smoothing_seconds:g} | {policy.min_duration_seconds:g} "
        f"| {policy.max_gap_seconds:g} |\n"
    )


def _origin(known: Mapping[str, Any]) -> str:
    found = known.get(CALIBRATION)
    if found is None:
        return (
            "The thresholds are not calibrated: `trainer calibrate` chooses them by how many false "
            "alarms you will bear."
        )
    remarks = "".join(f"\n- {remark}" for remark in found["remarks"])
    return (
        f"Chosen by `trainer calibrate` for at most {found['false_alarms_per_day']:g} false alarms a "
        f"day of all labels together.{remarks and chr(10)}{remarks}"
    )
