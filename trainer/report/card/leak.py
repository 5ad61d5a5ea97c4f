"""What a careless evaluation would have claimed."""

from __future__ import annotations

from listener.detection.bundle import Manifest
from trainer.report.words import percent

LEAK = "leak"  # in the provenance, see trainer.training.leakage


def leak(manifest: Manifest) -> str:
    """The leaky figure as a warning beside the honest one."""
    found = manifest.provenance.get(LEAK)
    if found is None:
        return ""
    points = 100 * (found["shuffled"] - found["by_recording"])
    return (
        "## A figure not to believe\n\n"
        f"Of {found['patches']} patches, {percent(found['by_recording'])} are told apart when whole "
        "recordings are kept out of the training. "
        f"Shuffled over the {found['folds']} folds, so that patches of one recording are learnt from "
        f"and tested on, the same head gets {percent(found['shuffled'])}: {points:+.1f} points of leak."
    )
