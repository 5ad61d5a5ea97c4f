"""How well the bundle does, on what, and where to see more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from listener.detection.bundle import Manifest
from trainer.report.main_figures import main_figures
from trainer.report.words import listed, percent

EVALUATION = "evaluation"  # in the provenance: what `summarise` of trainer.report.summary gave
_MOST_LABELS = 60  # in the card; the report has them all


def figures(manifest: Manifest) -> str:
    """Main figures and a row for each label, or that nothing was measured."""
    found = manifest.provenance.get(EVALUATION)
    if found is None:
        return (
            "## How well\n\nNot evaluated with these policies: `trainer evaluate` measures on data "
            "that the bundle has not seen."
        )
    rows = "".join(f"| {what} | {figure} |\n" for what, figure in main_figures(found))
    return f"## How well\n\n{_occasion(found)}\n\n| what | figure |\n|---|---|\n{rows}\n{_labels(found)}"


def _occasion(found: Mapping[str, Any]) -> str:
    seen = (
        "**It learnt from these clips, or was tuned on them: the figures are too good.**"
        if found["seen"]
        else "It learnt from none of these clips."
    )
    data = "; ".join(f"`{path}` (licence: {found['licences'][path]})" for path in found["data"])
    return (
        f"Measured by `trainer evaluate` at {found['made']} as {found['bundle']} on {data}, "
        f"folds {listed(found['folds'])}. {seen} More in `report/index.html`."
    )


def _labels(found: Mapping[str, Any]) -> str:
    labels = found["clip"]["labels"]
    rows = "".join(
        f"| {each['label']} | {each['clips']} | {percent(each['precision'])} "
        f"| {percent(each['recall'])} | {percent(each['f1'])} |\n"
        for each in labels[:_MOST_LABELS]
    )
    more = len(labels) - _MOST_LABELS
    rest = f"\n{more} more labels are in `report/index.html`." if more > 0 else ""
    return f"| label | clips | precision | recall | F1 |\n|---|---|---|---|---|\n{rows}{rest}"
