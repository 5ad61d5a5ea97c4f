"""Lesson: every choice of a training. No import of TensorFlow here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from trainer.augment.augmentation import Augmentation
from trainer.errors import DataError
from trainer.model.settings import FitSettings


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Recipe:
    """How a head, and if asked for the last blocks of YAMNet, learn from a table of clips.

    `copies` varied copies are made of each clip by `augmentation`, and the clip itself is learnt from
    `repeats` times as often as each of them; `heads` are trained with seeds of
    their own and become one with their mean weights. `background`: noise and silence of our own making
    are learnt as no class at all, and so, with softmax, are the quiet parts of clips. Patches nearer to
    each other than `learnt_hop_seconds` are scored but not learnt from. The defaults are those of
    `trainer fit`.

    Raises:
        ValueError: a count out of its range, or several heads that are not linear.
    """

    fit: FitSettings = field(default_factory=FitSettings)
    augmentation: Augmentation = field(default_factory=Augmentation)
    copies: int = 2
    repeats: int = 4
    heads: int = 1
    learnt_hop_seconds: float = 0.48
    batch_size: int = 256
    balance: Literal["none", "weights", "resample"] = "weights"
    background: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("copies", 0), ("repeats", 1), ("heads", 1), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        if self.heads > 1 and (self.fit.head.hidden or self.fit.thawing.blocks):
            raise ValueError("heads: expected 1, as only linear heads have a mean that is one")


# A lesson as a file: what `trainer search` found and `trainer fit --lesson` takes. No TensorFlow here.


def write_lesson(path: Path, lesson: Recipe, found: Mapping[str, Any]) -> None:
    """The lesson as JSON under `lesson`; under `found`, for people, how it was found."""
    document = {"lesson": asdict(lesson), "found": dict(found)}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read_lesson(path: Path) -> Recipe:
    """The lesson of a file that `write_lesson` wrote.

    Raises:
        DataError: there is none.
    """
    try:
        document = json.loads(path.read_bytes())
        return TypeAdapter(Recipe).validate_python(document["lesson"])
    except OSError as error:
        raise DataError(
            f"{path}: expected a lesson of `trainer search`: {error.strerror}"
        ) from error
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: expected a lesson of `trainer search`, found none") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {place or 'lesson'}: {first['msg']}") from error
