"""Bars on a terminal: how far it is, the last figures, the time left."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trainer.model.validation import Epoch, OnEpoch

OnClip = Callable[[int, int], None]  # clips done, clips in all

log = logging.getLogger(__name__)


@contextmanager
def epochs_bar(what: str, max_epochs: int) -> Iterator[OnEpoch]:
    """A bar of one training while the block runs; at its end one line on the last epoch."""
    last: list[Epoch] = []
    with _bar() as bar:
        task = bar.add_task(what, total=max_epochs, figures="")

        def show(epoch: Epoch) -> None:
            last[:] = [epoch]
            bar.update(task, completed=epoch.number, figures=describe(epoch))

        yield show
    for epoch in last:
        log.info("%s: epoch %d: %s", what, epoch.number, describe(epoch))


@contextmanager
def clips_bar() -> Iterator[Callable[[str], OnClip]]:
    """Bars of passes over clips: name one and get what to call with clips done and clips in all."""
    with _bar() as bar:

        def begin(what: str) -> OnClip:
            log.info("%s", what)
            task = bar.add_task(what, total=None, figures="")
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield begin


def _bar() -> Progress:
    """On stderr and gone when it is done; in a file or a pipe there is none."""
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )  # fmt: skip
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def describe(epoch: Epoch) -> str:
    """`loss 0.210, validation 0.180, accuracy 97.5 %`."""
    parts = [f"loss {epoch.loss:.3f}"]
    if epoch.validation_loss is not None:
        parts.append(f"validation {epoch.validation_loss:.3f}")
    if epoch.accuracy is not None:
        parts.append(f"accuracy {100 * epoch.accuracy:.1f} %")
    return ", ".join(parts)
