"""Learning curves, and when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training patches; validation figures are of whole clips, None without them.

    `accuracy` is the share of clips whose highest score has a label of theirs.
    """

    number: int  # from 1
    loss: float
    validation_loss: float | None = None
    accuracy: float | None = None


OnEpoch = Callable[[Epoch], None]


@dataclass(frozen=True, slots=True)
class History:
    """The learning curves, one epoch after another."""

    epochs: tuple[Epoch, ...] = ()

    @property
    def best(self) -> Epoch:
        """The epoch with the lowest validation loss; without validation the last.

        Raises:
            ValueError: no epochs.
        """
        if not self.epochs:
            raise ValueError("history: expected at least one epoch, got none")
        judged = [epoch for epoch in self.epochs if epoch.validation_loss is not None]
        return min(judged, key=_loss_of) if judged else self.epochs[-1]

    def is_over(self, patience: int) -> bool:
        """Whether so many epochs have passed since the best one."""
        return bool(self.epochs) and self.epochs[-1].number - self.best.number >= patience

    def plus(self, epoch: Epoch) -> History:
        """With one more epoch."""
        return History((*self.epochs, epoch))


def _loss_of(epoch: Epoch) -> float:
    return float("inf") if epoch.validation_loss is None else epoch.validation_loss
