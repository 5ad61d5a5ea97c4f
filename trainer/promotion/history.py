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


def settle(models: Path, current: str | None) -> str | None:
    """Let the bundle in use be the newest; the newest before, if another program moved the link since.

    The station does that when a bundle fails its trial, and it writes no history. A promotion that was
    cut short looks alike: in both, what came after the bundle in use is no way back.

    Raises:
        OSError: it cannot be written.
    """
    history, lines = read_history(models), _lines(models)
    if current is None or history[-1:] == [current]:
        return None
    if current in history:
        place = len(history) - history[::-1].index(current) - 1
        back = json.loads(lines[place]) | {"instead_of": history[-1], "noticed_at": _now()}
        _write(models, [*lines[:place], json.dumps(back)])
    else:
        _write(models, [*lines, _line(current)])
    return history[-1] if history else None


def write_promotion(models: Path, promoted: str) -> None:
    """`promoted` comes after the newest.

    Raises:
        OSError: it cannot be written.
    """
    _write(models, [*_lines(models), _line(promoted)])


def forget_newest(models: Path) -> None:
    """The bundle before is in use again.

    Raises:
        OSError: it cannot be written.
    """
    _write(models, _lines(models)[:-1])


def _lines(models: Path) -> list[str]:
    file = models / HISTORY_FILE
    return file.read_text("utf-8").splitlines() if file.exists() else []


def _write(models: Path, lines: list[str]) -> None:
    put_in_place(models / HISTORY_FILE, "\n".join([*lines, ""]).encode())


def _line(bundle: str) -> str:
    return json.dumps({"bundle": bundle, "promoted_at": _now()})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
