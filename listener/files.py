"""A value on disk, kept over restarts: read with care, replaced whole or not at all."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

log = logging.getLogger(__name__)

_MAX_BYTES = 16_000_000  # a file that is larger is not ours


Value = TypeVar("Value")


def read_state(path: Path, adapter: TypeAdapter[Value], empty: Value, what: str) -> Value:
    """The value in a file; `empty` if there is no file.

    A file that is no such value is put aside, and the log says so; `what` names it there.
    """
    try:
        with path.open("rb") as file:
            return adapter.validate_json(file.read(_MAX_BYTES))
    except FileNotFoundError:
        return empty
    except OSError as error:
        log.warning("%s: %s cannot be read: %s", path, what, error.strerror)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        log.warning("%s: expected %s, put aside: %s", path, what, first["msg"])
        _put_aside(path)
    return empty


def _put_aside(path: Path) -> None:
    try:
        path.replace(path.with_name(path.name + ".corrupt"))
    except OSError as error:
        log.warning("%s: cannot be put aside: %s", path, error.strerror)


def write_state(path: Path, adapter: TypeAdapter[Any], value: object) -> None:
    """Replace the file, whole or not at all; only its owner may read it.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    partial = path.with_name(path.name + ".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(adapter.dump_json(value, indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


# How the station writes times and JSON.


def iso_utc(unix_seconds: float) -> str:
    """ISO 8601 in UTC to the nearest millisecond: `2026-11-20T03:12:07.440Z`."""
    # isoformat cuts digits off, so round before
    moment = datetime.fromtimestamp(round(float(unix_seconds), 3), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_json(document: dict[str, Any]) -> str:
    """One line of JSON, names in their own letters.

    Raises:
        ValueError: a number that is not finite, which JSON cannot say.
    """
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
