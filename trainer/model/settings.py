"""The settings of a training; importing them does not import TensorFlow."""

from dataclasses import field
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

Activation = Literal["softmax", "sigmoid"]  # one label a clip, or any number of them


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class HeadShape:
    """One hidden layer of `hidden` units, and dropout before the last layer; 0 units: a linear head.

    Raises:
        ValueError: fewer than 0 units, or a dropout outside [0, 1).
    """

    hidden: int = 0
    dropout: float = 0.0  # of what goes into the last layer

    def __post_init__(self) -> None:
        if self.hidden < 0:
            raise ValueError(f"hidden: expected at least 0 units, got {self.hidden}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout: expected a share in [0, 1), got {self.dropout}")


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Thawing:
    """How many of YAMNet's last blocks are trained along with the head, and how fast.

    The learning rate of the last block is `rate_share` of the head's; that of each block before is
    `decay` times that of the one after it.
    """

    blocks: int = 0
    rate_share: float = 0.1
    decay: float = 0.7


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class FitSettings:
    """How a network is trained. The learning rate falls along a cosine to 0 at `max_epochs`.

    `weight_decay` is the L2 penalty on the head's kernels; training stops after `patience` epochs without
    a lower validation loss; `mixup_alpha` 0 turns mixup off.

    Raises:
        ValueError: a number out of its range.
    """

    activation: Activation = "softmax"
    head: HeadShape = field(default_factory=HeadShape)
    thawing: Thawing = field(default_factory=Thawing)
    learning_rate: float = 2e-3
    weight_decay: float = 3e-3
    label_smoothing: float = 0.0
    mixup_alpha: float = 0.0
    max_epochs: int = 30
    patience: int = 8
    stop_after: int | None = None  # an epoch that an earlier training found best
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "max_epochs", "patience"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected more than 0, got {getattr(self, name)}")
        if self.stop_after is not None and not 1 <= self.stop_after <= self.max_epochs:
            raise ValueError(
                f"stop_after: expected 1 to {self.max_epochs} epochs, got {self.stop_after}"
            )
        for name in ("weight_decay", "mixup_alpha"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name}: expected at least 0, got {getattr(self, name)}")
        if not 0.0 <= self.label_smoothing < 1.0:
            raise ValueError(f"label_smoothing: expected [0, 1), got {self.label_smoothing}")

    @property
    def epochs(self) -> int:
        """The number of epochs at most."""
        return self.max_epochs if self.stop_after is None else self.stop_after
