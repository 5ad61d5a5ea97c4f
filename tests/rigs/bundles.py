"""Bundles for the tests, made of others."""

import shutil
from pathlib import Path

from listener.detection.bundle import Bundle, read_bundle, write_bundle


def without_saved_model(source: Path, out: Path) -> Bundle:
    """The bundle at `source` without its SavedModel, as `trainer shrink` makes them."""
    contents = out.with_name(f"{out.name}-contents")
    shutil.copytree(source, contents, ignore=shutil.ignore_patterns("saved_model"))
    return write_bundle(out, read_bundle(source).manifest, contents)
