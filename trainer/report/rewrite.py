"""A bundle written anew with other words: policies, provenance, card, report; the model stays."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from listener.detection.bundle import CARD_FILE, Bundle, Manifest, write_bundle
from trainer.errors import TargetError
from trainer.report.model_card import make_card, with_introduction

REPORT_DIR = "report"


def rewrite_bundle(
    bundle: Bundle,
    manifest: Manifest,
    report: Mapping[str, bytes] | None = None,
    out: Path | None = None,
) -> Bundle:
    """The bundle with this manifest, its card from it, and these files as its report.

    It goes to `out` or its own place, whole or not at all; without `report` it has none.

    Raises:
        TargetError: it cannot be written.
        BundleError: `out` holds something else than a bundle.
    """
    out = (bundle.path if out is None else out).resolve()  # not a link such as `current`
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return _rewrite(bundle, manifest, report or {}, out)
    except OSError as error:
        raise TargetError(
            f"{out}: cannot be written: {error.strerror}; what was there stays"
        ) from error


def _rewrite(bundle: Bundle, manifest: Manifest, report: Mapping[str, bytes], out: Path) -> Bundle:
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".bundle-") as workspace:
        contents = Path(workspace) / "contents"
        _copy_files(bundle, contents)
        known = with_introduction(manifest.provenance, _read_card(contents))
        manifest = replace(manifest, provenance=known)
        (contents / CARD_FILE).write_text(make_card(manifest), encoding="utf-8")
        if report:
            write_files(contents / REPORT_DIR, report)
        return write_bundle(out, manifest, contents)


def _copy_files(bundle: Bundle, contents: Path) -> None:
    """What the manifest lists, an older report left out."""
    for name in bundle.manifest.files:
        if Path(name).parts[0] != REPORT_DIR:
            (contents / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.path / name, contents / name)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Files by their names into a folder, which is made.

    Raises:
        OSError: one cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _read_card(contents: Path) -> str:
    card = contents / CARD_FILE
    return card.read_text(encoding="utf-8") if card.is_file() else ""
