"""Calibrated policies into a bundle."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from listener.detection.bundle import MANIFEST_FILE, Bundle, write_bundle
from trainer.evaluation.calibration import Calibration
from trainer.evaluation.documents import to_document


def write_policies(bundle: Bundle, calibration: Calibration, out: Path | None = None) -> Bundle:
    """The bundle with these policies, one version on, at `out` or in its own place.

    What calibration found goes into the provenance.

    Raises:
        BundleError: `out` holds something else.
        OSError: it cannot be written.
    """
    out = bundle.path if out is None else out
    out.parent.mkdir(parents=True, exist_ok=True)
    manifest = replace(
        bundle.manifest,
        version=bundle.manifest.version + 1,
        policies=dict(calibration.policies),
        provenance=bundle.manifest.provenance | {"calibration": to_document(calibration)},
    )
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".bundle-") as workspace:
        contents = Path(workspace) / "contents"
        shutil.copytree(bundle.path, contents, ignore=shutil.ignore_patterns(MANIFEST_FILE))
        return write_bundle(out, manifest, contents)
