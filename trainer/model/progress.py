"""The learning curves of a training, when it stops, and its progress bar."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from trainer.terminal import progress_bar

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training patches; validation figures are of whole clips, None without them.

    `accuracy` is the share of clips whose highest score belongs to one of their labels.
    """

    number: int  # from 1
    loss: float
    validation_loss: float | None = None
    accuracy: float | None = None

    def __str__(self) -> str:
        """`loss 0.210, validation 0.180, accuracy 97.5 %`."""
        figures = [f"loss {self.loss:.3f}"]
        if self.validation_loss is not None:
            figures.append(f"validation {self.validation_loss:.3f}")
        if self.accuracy is not None:
            figures.append(f"accuracy {100 * self.accuracy:.1f} %")
        return ", ".join(figures)


OnEpoch = Callable[[Epoch], None]


@dataclass(frozen=True, slots=True)
class History:
    """The learning curves, one epoch after another."""

    epochs: tuple[Epoch, ...] = ()

    @property
    def best(self) -> Epoch:
        """The epoch with the lowest validation loss; without validation the last one.

        Raises:
            ValueError: no epochs.
        """
        if not self.epochs:
            raise ValueError("history: expected at least one epoch, got none")
        losses = {
            epoch: epoch.validation_loss
            for epoch in self.epochs
            if epoch.validation_loss is not None
        }
        return min(losses, key=losses.__getitem__) if losses else self.epochs[-1]

    def is_over(self, patience: int) -> bool:
        """Whether `patience` epochs have passed since the best one."""
        return bool(self.epochs) and self.epochs[-1].number - self.best.number >= patience

    def plus(self, epoch: Epoch) -> History:
        """With one more epoch."""
        return History((*self.epochs, epoch))


@contextmanager
def epochs_bar(what: str, max_epochs: int) -> Iterator[OnEpoch]:
    """A progress bar of one training while the block runs; then one line on the last epoch."""
    last: list[Epoch] = []
    with progress_bar() as bar:
        task = bar.add_task(what, total=max_epochs, figures="")

        def show(epoch: Epoch) -> None:
            last[:] = [epoch]
            bar.update(task, completed=epoch.number, figures=str(epoch))

        yield show
    for epoch in last:
        log.info("%s: epoch %d: %s", what, epoch.number, epoch)
