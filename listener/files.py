"""Files that survive crashes, state that survives restarts, and how times and JSON are written."""

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from listener.validation import first_problem

log = logging.getLogger(__name__)

PARTIAL_SUFFIX = ".partial"
_MAX_STATE_BYTES = 16_000_000  # no state of a station is larger

Value = TypeVar("Value")


def read_state(path: Path, adapter: TypeAdapter[Value], empty: Value, what: str) -> Value:
    """The value in a file; `empty` if there is no file, or none that can be read.

    A file with another content is set aside and logged; `what` names its content there.
    """
    try:
        with path.open("rb") as file:
            return adapter.validate_json(file.read(_MAX_STATE_BYTES))
    except FileNotFoundError:
        return empty
    except OSError as error:
        log.warning("%s: %s cannot be read: %s", path, what, error.strerror)
    except ValidationError as error:
        log.warning("%s: expected %s, set aside: %s", path, what, first_problem(error).message)
        set_aside(path)
    return empty


def write_state(path: Path, adapter: TypeAdapter[Any], value: object) -> None:
    """Replace the file, whole or not at all; only its owner may read it.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    replace_file(path, adapter.dump_json(value, indent=1) + b"\n")


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file whole or not at all: to `path` + PARTIAL_SUFFIX, synced, then renamed.

    The new name survives a power cut only after `sync_directory`.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable (fsync(2))."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def set_aside(path: Path, target: Path | None = None) -> Path | None:
    """Rename a broken file, so that a person can look at it; its new path.

    `target` is `path` + ".corrupt" by default. None, and a log line, if it cannot be renamed.
    """
    target = target or path.with_name(path.name + ".corrupt")
    try:
        return path.replace(target)
    except OSError as error:
        log.warning("%s: cannot be set aside: %s", path, error.strerror)
        return None


def iso_utc(unix_seconds: float) -> str:
    """ISO 8601 in UTC to the nearest millisecond: `2026-11-20T03:12:07.440Z`."""
    # isoformat truncates, so round first
    moment = datetime.fromtimestamp(round(float(unix_seconds), 3), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_json(document: dict[str, Any]) -> str:
    """One line of JSON, without escapes for letters that are not ASCII.

    Raises:
        ValueError: a number that is not finite, which JSON lacks.
    """
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
