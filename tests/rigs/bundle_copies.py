"""Other versions of a bundle, as `trainer promote` would put them beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from listener.detection.bundle import MANIFEST_FILE, MODEL_FILE, Bundle


def copy_bundle(
    bundle: Bundle, path: Path, change: Callable[[dict[str, Any]], object] = lambda _: None
) -> Path:
    """A copy whose manifest is changed in place by `change`; the version is 2 if it is left alone."""
    shutil.copytree(bundle.path, path)
    manifest = json.loads((path / MANIFEST_FILE).read_text())
    manifest["version"] = 2
    change(manifest)
    (path / MANIFEST_FILE).write_text(json.dumps(manifest))
    return path


def flip_a_bit(path: Path) -> None:
    """Break the model of a bundle as a bad disk would."""
    model = bytearray((path / MODEL_FILE).read_bytes())
    model[len(model) // 2] ^= 1
    (path / MODEL_FILE).write_bytes(model)


def point_link(link: Path, target: str) -> None:
    """Make a link lead to the target, in one step."""
    partial = link.with_name(link.name + ".new")
    partial.symlink_to(target)
    partial.replace(link)
