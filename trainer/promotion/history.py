"""Which bundles of a directory were in use, one after another: `history.jsonl`.

A promotion writes it before the link is swapped, a rollback after, so that the way back is known whenever
the machine stops.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from trainer.errors import PromotionError
from trainer.promotion.durable import put_in_place

HISTORY_FILE = "history.jsonl"


def read_history(models: Path) -> list[str]:
    """Names of bundles, the oldest first.

    Raises:
        PromotionError: the file holds something else.
    """
    file = models / HISTORY_FILE
    if not file.exists():
        return []
    try:
        return [str(json.loads(line)["bundle"]) for line in file.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise PromotionError(f"{file}: expected a bundle a line: {error}") from error


def write_promotion(models: Path, current: str | None, promoted: str) -> None:
    """`promoted` comes after the bundle in use, of which the history may not know.

    Raises:
        OSError: it cannot be written.
    """
    kept = _lines_up_to(models, current)
    if not kept and current is not None:
        kept = [_line(current)]
    _write(models, [*kept, _line(promoted)])


def forget_later(models: Path, current: str) -> None:
    """What was in use after the bundle that is in use again is no way back any more.

    Raises:
        OSError: it cannot be written.
    """
    _write(models, _lines_up_to(models, current))


def up_to(history: list[str], current: str | None) -> list[str]:
    """The history until the bundle in use; empty where it is not in it."""
    if current not in history:
        return []
    return history[: len(history) - history[::-1].index(current)]


def _lines_up_to(models: Path, current: str | None) -> list[str]:
    file = models / HISTORY_FILE
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return lines[: len(up_to(read_history(models), current))]


def _write(models: Path, lines: list[str]) -> None:
    put_in_place(models / HISTORY_FILE, "\n".join([*lines, ""]).encode())


def _line(bundle: str) -> str:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"bundle": bundle, "promoted_at": at})
