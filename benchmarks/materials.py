"""What a run needs and does not come with the project: YAMNet's bundle and ESC-10's recordings."""

from __future__ import annotations

import csv
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

log = logging.getLogger(__name__)


class MaterialsError(Exception):
    """Something that the measurement needs is not there; one line that says what."""


@dataclass(frozen=True, slots=True)
class Materials:
    """`yamnet` is the SavedModel, `bundle` made from it, `recordings` ESC-10's OGG files of 5 s."""

    yamnet: Path
    bundle: Path
    recordings: tuple[Path, ...]


def find_materials() -> Materials:
    """The folder of EARSHOT_SHARED, else ../shared; the bundle of EARSHOT_BUNDLE, else models/yamnet.

    Raises:
        MaterialsError: one of them is not there.
    """
    shared = Path(os.environ.get("EARSHOT_SHARED", ROOT.parent / "shared")).resolve()
    yamnet = shared / "models" / "yamnet"
    if not yamnet.is_dir():
        raise MaterialsError(f"expected YAMNet's SavedModel in {yamnet} (set EARSHOT_SHARED)")
    return Materials(yamnet, _find_bundle(yamnet), _find_recordings(shared / "data" / "esc10"))


def _find_recordings(esc10: Path) -> tuple[Path, ...]:
    if not (esc10 / "esc10.csv").is_file():
        raise MaterialsError(f"expected ESC-10 in {esc10} (set EARSHOT_SHARED)")
    with (esc10 / "esc10.csv").open(newline="", encoding="utf-8") as lines:
        return tuple(esc10 / "audio" / row["filename"] for row in csv.DictReader(lines))


def _find_bundle(yamnet: Path) -> Path:
    named = os.environ.get("EARSHOT_BUNDLE")
    bundle = Path(named) if named else ROOT / "models" / "yamnet"
    if not bundle.is_dir() and not named:
        log.info("making %s, once", bundle)
        trainer = [sys.executable, "-m", "trainer", "backbone", str(yamnet)]
        subprocess.run([*trainer, "--out", str(bundle)], cwd=ROOT, check=True)
    if not bundle.is_dir():
        raise MaterialsError(f"expected a bundle in {bundle}")
    return bundle.resolve()
