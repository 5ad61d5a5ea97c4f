"""ESC-10's recordings and YAMNet, from the folder beside the project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.materials import ROOT, MaterialsError
from listener.soundscape.synthesis import SAMPLE_RATE_HZ
from trainer.data.audio import read_audio
from trainer.data.formats import read_clips
from trainer.evaluation.scenes import Recording

FOLDS = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Material:
    """YAMNet's SavedModel, ESC-10's labels, and its recordings by fold."""

    yamnet: Path
    labels: tuple[str, ...]
    folds: dict[int, list[Recording]]

    def recordings(self, *folds: int) -> list[Recording]:
        """Those of some folds."""
        return [recording for fold in folds for recording in self.folds[fold]]


def read_material() -> Material:
    """From the folder of EARSHOT_SHARED, else ../shared.

    Raises:
        MaterialsError: the folder is not there.
    """
    shared = Path(os.environ.get("EARSHOT_SHARED", ROOT.parent / "shared")).resolve()
    if not shared.is_dir():
        raise MaterialsError(f"expected YAMNet and ESC-10 in {shared} (set EARSHOT_SHARED)")
    table = read_clips([shared / "data" / "esc10"])
    folds: dict[int, list[Recording]] = {fold: [] for fold in FOLDS}
    for clip in table.clips:
        [label] = clip.labels
        folds[clip.fold].append(Recording(label, read_audio(clip, SAMPLE_RATE_HZ)))
    return Material(shared / "models" / "yamnet", table.classes, folds)
