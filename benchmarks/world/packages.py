"""The tables: what each package holds, which part it is in, and where its labelled sounds are."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

PACKAGES = Path(__file__).with_name("packages.toml")
SOUNDS = Path(__file__).with_name("sounds.toml")

Part = Literal["train", "tune", "test"]
Kind = Literal["speech", "music", "sounds"]
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_STRICT)
class Package:
    """A Debian package with audio. `files` are globs of its unlabelled audio, all of the one `kind`.

    The split is by package: no voice, no composer and no recordist is in two parts. What is in the test
    part is measured, and chooses nothing. See packages.toml for the meaning of each field.
    """

    name: str
    version: str
    part: Part
    kind: Kind
    about: str
    licence: str
    credit: str
    files: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    count: int = 0
    hours: float = 0.0


@dataclass(frozen=True, slots=True, config=_STRICT)
class Sounds:
    """Files of a package in which a label is heard; see sounds.toml for `real` and `confirmed`."""

    package: str
    label: str
    files: tuple[str, ...]
    real: bool = True
    confirmed: bool = False


@dataclass(frozen=True, slots=True, config=_STRICT)
class DataSet:
    """Real labelled sounds of one part to train and test a bundle on: labels by class.

    A file longer than `clip_seconds` is cut into at most `clips` clips, which are one recording.
    """

    name: str
    part: Part
    clip_seconds: float
    clips: int
    classes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, config=_STRICT)
class World:
    """Both tables. `labels` gives the names of AudioSet's classes that a label of ours stands for."""

    labels: Mapping[str, tuple[str, ...]]
    package: tuple[Package, ...]
    sounds: tuple[Sounds, ...]
    dataset: tuple[DataSet, ...] = ()

    def packages_of(self, *parts: Part) -> list[Package]:
        """Those of some parts, in the table's order."""
        return [package for package in self.package if package.part in parts]

    def sounds_of(self, *parts: Part) -> list[Sounds]:
        """The labelled sounds of some parts."""
        names = {package.name for package in self.packages_of(*parts)}
        return [sounds for sounds in self.sounds if sounds.package in names]


def read_world() -> World:
    """The tables that lie beside this module.

    Raises:
        pydantic.ValidationError: they have another form.
    """
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in (PACKAGES, SOUNDS)]
    return TypeAdapter(World).validate_python({**tables[0], **tables[1]})
