"""`python -m tests.story.promoter BUNDLE MODELS SCRATCH FIRST`: promotes and rolls back until it is killed.

Each version is a copy of the bundle; every third one is taken back. Ten a second at most, so that those
who follow have time for other things.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import time
from pathlib import Path

from listener.detection.bundle import Bundle, read_bundle
from tests.rigs.bundle_copies import copy_bundle
from trainer.promotion.models import ModelsDirectory

_REST_SECONDS = 0.1


def main(bundle: Bundle, models: ModelsDirectory, scratch: Path, first: int) -> None:
    """Version after version, from `first` on."""
    for version in itertools.count(first):
        candidate = make_version(bundle, scratch / str(version), version)
        models.promote(candidate)
        shutil.rmtree(candidate.path)
        if version % 3 == 0:
            models.roll_back()
        time.sleep(_REST_SECONDS)


def make_version(bundle: Bundle, path: Path, version: int) -> Bundle:
    """The same model under another version."""
    return read_bundle(copy_bundle(bundle, path, lambda manifest: manifest.update(version=version)))


if __name__ == "__main__":
    base, models, scratch, first = sys.argv[1:]
    main(read_bundle(Path(base)), ModelsDirectory(Path(models)), Path(scratch), int(first))
