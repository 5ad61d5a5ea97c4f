"""Every choice of a training run, and the file in which `trainer search` keeps it. No TensorFlow here."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from listener.validation import first_problem
from trainer.augment.augmentation import Augmentation
from trainer.errors import DataError
from trainer.model.settings import FitSettings

HeadKind = Literal["best", "network", "regression"]

_ROUNDING = 1e-6  # of quotients of decimal seconds


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Recipe:
    """How a head, and if asked for the last blocks of YAMNet, is trained on a table of clips.

    `augmentation` makes `copies` varied copies of each clip, and the clip itself is used `repeats` times
    as often as each of them. `heads` networks are trained with seeds of their own and averaged into one.
    The `head` is the network, logistic regression, or the one that does better on held clips; several
    heads are networks. With
    `background`, generated noise, silence and the backbone's bank of negatives are none of the classes,
    and with softmax or one class so are the quiet parts of clips. Patches closer together than
    `learnt_hop_seconds` are scored but not trained on. The defaults are those of `trainer fit`.

    Raises:
        ValueError: a count out of its range, or several heads that are not linear.
    """

    fit: FitSettings = field(default_factory=FitSettings)
    augmentation: Augmentation = field(default_factory=Augmentation)
    copies: int = 2
    repeats: int = 4
    heads: int = 1
    head: HeadKind = "best"
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
            raise ValueError("heads: expected 1, as only linear heads can be averaged into one")

    def stride(self, patch_hop_seconds: float) -> int:
        """Every how many-th patch is trained on, at this hop between patches; at least 1."""
        return max(1, math.floor(self.learnt_hop_seconds / patch_hop_seconds + _ROUNDING))


def write_recipe(path: Path, recipe: Recipe, found: Mapping[str, Any]) -> None:
    """The recipe as JSON under `lesson`; `found` tells people how it was found."""
    document = {"lesson": asdict(recipe), "found": dict(found)}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read_recipe(path: Path) -> Recipe:
    """The recipe of a file that `write_recipe` wrote.

    Raises:
        DataError: the file holds none.
    """
    expected = f"{path}: expected a recipe of `trainer search`"
    try:
        return TypeAdapter(Recipe).validate_python(json.loads(path.read_bytes())["lesson"])
    except OSError as error:
        raise DataError(f"{expected}: {error.strerror}") from error
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{expected}, found none") from error
    except ValidationError as error:
        raise DataError(f"{path}: {first_problem(error)}") from error
