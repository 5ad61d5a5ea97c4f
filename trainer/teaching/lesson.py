"""Lesson: every choice of a training. No import of TensorFlow here."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from trainer.augment.augmentation import Augmentation
from trainer.model.settings import FitSettings


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Lesson:
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
