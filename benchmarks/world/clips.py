"""The audio of the world as clips: what is heard in each, and for which labels that is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.world.packages import Kind, Part, World, find_files


@dataclass(frozen=True, slots=True)
class WorldClip:
    """A file. `label` is what is heard in it; without one it is audio of its kind."""

    path: Path
    package: str
    part: Part
    kind: Kind
    label: str | None = None
    real: bool = True


def read_clips(world: World, root: Path, *parts: Part) -> Iterator[WorldClip]:
    """All files of some parts, labelled ones first; each once.

    Raises:
        FileNotFoundError: a package is not unpacked, or globs of it find nothing.
    """
    by_name = {package.name: package for package in world.packages_of(*parts)}
    seen: set[Path] = set()
    for sounds in world.sounds_of(*parts):
        package = by_name[sounds.package]
        for path in _existing(root, package.name, sounds.files):
            if path not in seen:
                seen.add(path)
                yield WorldClip(
                    path, package.name, package.part, "sounds", sounds.label, sounds.real
                )
    for package in by_name.values():
        for path in _existing(root, package.name, package.files) if package.files else ():
            if path not in seen:
                seen.add(path)
                yield WorldClip(path, package.name, package.part, package.kind)


def _existing(root: Path, package: str, globs: tuple[str, ...]) -> list[Path]:
    found = list(find_files(root, package, globs))
    if not found:
        raise FileNotFoundError(f"{root / package}: no file matches {', '.join(globs)}")
    return found
