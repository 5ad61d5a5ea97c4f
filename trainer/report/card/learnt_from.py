"""What the bundle was trained on, and under which licences."""

from __future__ import annotations

from listener.detection.bundle import Manifest
from trainer.data.files import NOT_STATED
from trainer.report.card.introduction import LESSON
from trainer.report.words import listed


def learnt_from(manifest: Manifest) -> str:
    """Data sets with their licences, folds, what was left out."""
    known = manifest.provenance
    if LESSON not in known:
        return ""
    licences = known.get("licences", {})
    data = "".join(
        f"- `{path}`; licence: {licences.get(path, NOT_STATED)}.\n" for path in known["data"]
    )
    return (
        f"## Learnt from\n\n{data}"
        f"- Folds: {listed(known['folds'])}; {_validation(known['validation_fold'])}.\n"
        f"- Validation, before it was learnt from as well: {known['validation']}.\n"
        f"- Left out as unusable: {len(known['left_out']) or 'nothing'}."
    )


def _validation(fold: int | None) -> str:
    return "none told when to stop" if fold is None else f"fold {fold} told when to stop"
