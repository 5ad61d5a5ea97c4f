"""Inputs that cannot be used: named, logged and kept on a list, and never a reason to stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from trainer.data.clips import Clip, Quarantined
from trainer.errors import DataError

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def or_quarantined(path: Path, work: Callable[[], Result]) -> Result | Quarantined:
    """What `work` gives, or why the input at `path` cannot be used."""
    try:
        return work()
    except DataError as error:
        return quarantined(path, str(error).removeprefix(f"{path}: "))


def quarantined(path: Path, reason: str) -> Quarantined:
    """The entry of the list; it is logged."""
    log.warning("quarantined: %s: %s", path, reason)
    return Quarantined(path, reason)


def check_what_is_left(
    before: Iterable[Clip], after: Iterable[Clip], left_out: Iterable[Quarantined]
) -> None:
    """Refuse to go on when a class has lost all its clips.

    Raises:
        DataError: it names the class, and the first reason of the quarantine.
    """
    labels = {label for clip in before for label in clip.labels}
    lost = sorted(labels.difference(*(clip.labels for clip in after)))
    if lost:
        first = next(iter(left_out))
        raise DataError(
            f"class {', '.join(lost)}: all clips are quarantined, "
            f"the first because of {first.path}: {first.reason}"
        )
