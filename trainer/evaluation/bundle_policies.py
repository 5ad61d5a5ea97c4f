"""Calibrated policies into a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from listener.detection.bundle import Bundle
from trainer.evaluation.calibration import Calibration
from trainer.evaluation.documents import to_document
from trainer.evaluation.selection import CALIBRATION_FILES
from trainer.report.card.figures import EVALUATION
from trainer.report.card.policies import CALIBRATION
from trainer.rewriting import rewrite_bundle


def write_policies(
    bundle: Bundle,
    calibration: Calibration,
    files: Sequence[str] = (),
    out: Path | None = None,
) -> Bundle:
    """The bundle with these policies, one version on, at `out` or in its own place.

    What calibration found and the SHA-256 of the `files` that it listened to go into the provenance. An
    evaluation and a report of older policies are dropped: their events were others.

    Raises:
        BundleError: `out` holds something else.
        TargetError: it cannot be written.
    """
    known = {
        name: value for name, value in bundle.manifest.provenance.items() if name != EVALUATION
    }
    known |= {CALIBRATION: to_document(calibration), CALIBRATION_FILES: list(files)}
    manifest = replace(
        bundle.manifest,
        version=bundle.manifest.version + 1,
        policies=dict(calibration.policies),
        provenance=known,
    )
    return rewrite_bundle(bundle, manifest, out=out)
