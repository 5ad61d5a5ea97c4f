"""How it learnt, and what a careless evaluation would have claimed."""

from __future__ import annotations

from typing import Any

from trainer.report.card.leak import LEAK
from trainer.report.html import paragraph, picture, table, warning
from trainer.report.page import Matter
from trainer.report.pictures.learning_curves import draw_learning_curves
from trainer.report.words import percent

CURVES = "learning_curves"  # in the provenance of what `trainer fit` made


def training(matter: Matter) -> str:
    """Learning curves and the leaky figure beside the honest one; nothing if neither is known."""
    known = matter.manifest.provenance
    return _curves(known) + (_leak(known[LEAK]) if known.get(LEAK) else "")


def _curves(known: dict[str, Any]) -> str:
    if not known.get(CURVES):
        return ""
    return picture(
        draw_learning_curves(known[CURVES]),
        "Loss and accuracy over the epochs of each training",
        f"Validation when it stopped: {known['validation']}.",
    )


def _leak(leak: dict[str, Any]) -> str:
    told = (
        "Do not believe the second row. Its folds are shuffled patches, so that patches of one "
        "recording are learnt from and tested on."
    )
    rows = (
        ("whole recordings kept out", percent(leak["by_recording"])),
        ("patches shuffled over the folds", percent(leak["shuffled"])),
    )
    folds = f"{leak['patches']} patches, {leak['folds']} folds, the same head."
    return warning(told) + table(("tested on", "accuracy of patches"), rows) + paragraph(folds)
