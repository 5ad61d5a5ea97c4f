"""The card's section on the forms of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from listener.detection.bundle import Manifest
from trainer.report.words import listed, percent

FORMS = "forms"  # in the provenance: what `trainer shrink` measured
STORAGE = "storage"  # in the provenance: the form that the bundle has


def forms(manifest: Manifest) -> str:
    """A row for each form that was tried; empty where none was."""
    found = manifest.provenance.get(FORMS)
    if found is None:
        return ""
    rows = "".join(_row(each) for each in found["tried"])
    return (
        f"## Forms of the model\n\nThis bundle holds {manifest.provenance[STORAGE]}. "
        f"Measured by `trainer shrink` on {found['clips']} clips of {listed(found['data'])} that the "
        "bundle had not seen, in one run; speed in the daemon's engine, one thread, batches of "
        f"{found['batch_patches']}.\n\n"
        "| form | MB | times as fast as float32 | clip accuracy | points lost | macro average precision "
        f"| points lost | offered |\n|---|---|---|---|---|---|---|---|\n{rows}"
    )


def _row(form: Mapping[str, Any]) -> str:
    cells = (
        form["form"],
        f"{form['size_bytes'] / 1e6:.2f}",
        f"{form['speed']:.2f}",
        percent(form["accuracy"]),
        _points(form["accuracy_loss_points"]),
        percent(form["average_precision"]),
        _points(form["average_precision_loss_points"]),
        "yes" if form["fault"] is None else f"no: {form['fault']}",
    )
    return f"| {' | '.join(cells)} |\n"


def _points(lost: float | None) -> str:
    return "unknown" if lost is None else f"{lost:.2f}"
