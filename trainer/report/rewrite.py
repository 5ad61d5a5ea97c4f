"""A bundle written again with another manifest, card and report; the model stays."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from listener.detection.bundle import CARD_FILE, Bundle, Manifest, write_bundle
from trainer.errors import TargetError
from trainer.model_card import make_card
from trainer.provenance import provenance_of, with_introduction

REPORT_DIR = "report"


def rewrite_bundle(
    bundle: Bundle,
    manifest: Manifest,
    report: Mapping[str, bytes] | None = None,
    out: Path | None = None,
) -> Bundle:
    """The bundle with this manifest, a card made from it, and these files as its report.

    It goes to `out` or its own place, whole or not at all; an older report is dropped.

    Raises:
        TargetError: it cannot be written.
        BundleError: `out` holds something that is not a bundle.
    """
    out = (bundle.path if out is None else out).resolve()  # not a link such as `current`
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".bundle-") as workspace:
            contents = Path(workspace) / "contents"
            for name in bundle.manifest.files:
                if Path(name).parts[0] != REPORT_DIR:
                    (contents / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(bundle.path / name, contents / name)
            known = with_introduction(provenance_of(manifest), contents)
            manifest = replace(manifest, provenance=dict(known))
            (contents / CARD_FILE).write_text(make_card(manifest), encoding="utf-8")
            if report:
                write_files(contents / REPORT_DIR, report)
            return write_bundle(out, manifest, contents)
    except OSError as error:
        raise TargetError(
            f"{out}: cannot be written: {error.strerror}; what was there stays"
        ) from error


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Files by their names into a folder, which is made.

    Raises:
        OSError: one cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
