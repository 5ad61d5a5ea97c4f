"""The audio of the world as clips: what is heard in each file, where that is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.world.packages import Kind, Package, Part, World


@dataclass(frozen=True, slots=True)
class WorldClip:
    """A file. `label` is what is heard in it; without one it is unlabelled audio of its kind."""

    path: Path
    package: str
    kind: Kind
    label: str | None = None
    real: bool = True
    confirmed: bool = False


def labelled_clips(world: World, root: Path, *parts: Part) -> Iterator[WorldClip]:
    """The labelled sounds of some parts, each file once for each of its labels.

    Raises:
        FileNotFoundError: a file of the table is missing.
    """
    for sounds in world.sounds_of(*parts):
        for path in _found(root / sounds.package, sounds.files):
            yield WorldClip(
                path, sounds.package, "sounds", sounds.label, sounds.real, sounds.confirmed
            )


def unlabelled_clips(world: World, root: Path, *parts: Part) -> Iterator[WorldClip]:
    """All other audio of some parts.

    Raises:
        FileNotFoundError: globs of a package find nothing.
    """
    labelled = {clip.path for clip in labelled_clips(world, root, *parts)}
    for package in world.packages_of(*parts):
        for path in unlabelled_files(package, root):
            if path not in labelled:
                yield WorldClip(path, package.name, package.kind)


def unlabelled_files(package: Package, root: Path) -> list[Path]:
    """What the globs of a package name, labelled sounds among them."""
    if not package.files:
        return []
    folder = root / package.name
    left_out = set(_matching(folder, package.leave_out))
    return [path for path in _found(folder, package.files) if path not in left_out]


def _found(folder: Path, globs: tuple[str, ...]) -> list[Path]:
    found = _matching(folder, globs)
    if not found:
        raise FileNotFoundError(f"{folder}: expected a file that matches {', '.join(globs)}")
    return found


def _matching(folder: Path, globs: tuple[str, ...]) -> list[Path]:
    """By name, without links: what they lead to is there under its own name."""
    found = {path for pattern in globs for path in folder.glob(pattern)}
    return sorted(path for path in found if path.is_file() and not path.is_symlink())
