"""Files, links and folders that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import os
from pathlib import Path

from listener.detection.clip_files import sync_directory

TEMPORARY = ".incoming-"  # what a write that was cut short may leave; it begins with this


def put_in_place(path: Path, content: bytes) -> None:
    """A file in place of an older one."""
    partial = path.with_name(TEMPORARY + path.name)
    with partial.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(path)
    sync_directory(path.parent)


def point(link: Path, target: str) -> None:
    """A symbolic link in place of an older one; who follows it finds the old target or the new."""
    partial = link.with_name(TEMPORARY + link.name)
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(link)
    sync_directory(link.parent)


def sync_tree(directory: Path) -> None:
    """All files in it and below, and their names."""
    for path in directory.rglob("*"):
        if path.is_dir():
            sync_directory(path)
        else:
            _sync_file(path)
    sync_directory(directory)


def _sync_file(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
