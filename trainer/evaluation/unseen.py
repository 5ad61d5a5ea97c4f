"""Whether a bundle was trained on the clips that are to judge it."""

from __future__ import annotations

from listener.detection.bundle import Bundle
from trainer.data.clips import ClipTable
from trainer.data.preparation import digest_file
from trainer.errors import DataError

TRAINING_FILES = "training_files"  # in a bundle's provenance: SHA-256 of each file it learnt from


def training_files(table: ClipTable) -> list[str]:
    """What goes into the provenance under TRAINING_FILES, sorted.

    Files, not cuts: another cut of the same recording is no more unseen than the one trained on.

    Raises:
        DataError: a file cannot be read.
    """
    return sorted({digest_file(path) for path in {clip.path for clip in table.clips}})


def check_unseen(bundle: Bundle, table: ClipTable) -> None:
    """Refuse clips that the bundle was trained on, validation of the training included.

    Raises:
        DataError: some are, or a file cannot be read.
    """
    trained_on = set(bundle.manifest.provenance.get(TRAINING_FILES, ()))
    paths = sorted({clip.path for clip in table.clips}) if trained_on else []
    seen = [path for path in paths if digest_file(path) in trained_on]
    if seen:
        raise DataError(
            f"{bundle.id} was trained on {len(seen)} of {len(paths)} files, {seen[0]} the first: "
            "expected audio that it never saw"
        )
