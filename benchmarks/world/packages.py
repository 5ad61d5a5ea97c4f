"""The table of packages: what each holds, which part it is in, and where its labelled sounds are."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

TABLE = Path(__file__).with_name("packages.toml")

Part = Literal["train", "tune", "test"]
Kind = Literal["speech", "music", "sounds"]
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_STRICT)
class Package:
    """A Debian package with audio. `files` are globs of its unlabelled audio, all of the one `kind`.

    The split is by package: no voice, no composer and no recordist is in two parts. What is in the test
    part is measured, and chooses nothing.
    """

    name: str
    version: str
    part: Part
    kind: Kind
    about: str
    licence: str
    credit: str
    files: tuple[str, ...] = ()
    hours: float = 0.0


@dataclass(frozen=True, slots=True, config=_STRICT)
class Sounds:
    """Files of a package in which a label is heard; `real` are recordings, the others synthetic."""

    package: str
    label: str
    files: tuple[str, ...]
    real: bool = True


@dataclass(frozen=True, slots=True, config=_STRICT)
class DataSet:
    """Sounds of the test part to train and test a bundle on: globs `package/file` by class."""

    name: str
    classes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, config=_STRICT)
class World:
    """The whole table. `labels` gives the names of AudioSet's classes that a label of ours stands for."""

    labels: Mapping[str, tuple[str, ...]]
    package: tuple[Package, ...]
    sounds: tuple[Sounds, ...] = ()
    dataset: tuple[DataSet, ...] = ()

    def packages_of(self, *parts: Part) -> list[Package]:
        """Those of some parts, in the table's order."""
        return [package for package in self.package if package.part in parts]

    def sounds_of(self, *parts: Part) -> list[Sounds]:
        """The labelled sounds of some parts."""
        names = {package.name for package in self.packages_of(*parts)}
        return [sounds for sounds in self.sounds if sounds.package in names]


def read_world(table: Path = TABLE) -> World:
    """The table that lies beside this module.

    Raises:
        pydantic.ValidationError: it has another form.
    """
    return TypeAdapter(World).validate_python(tomllib.loads(table.read_text(encoding="utf-8")))


def find_files(root: Path, package: str, globs: tuple[str, ...]) -> Iterator[Path]:
    """The files of an unpacked package, by name; links are left out, as they are heard elsewhere."""
    found = {path for pattern in globs for path in (root / package).glob(pattern)}
    yield from sorted(path for path in found if path.is_file() and not path.is_symlink())
