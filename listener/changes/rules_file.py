"""The rules on disk, so that they are kept over restarts."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from listener.changes.rules import Rules

log = logging.getLogger(__name__)

_RULES = TypeAdapter(Rules)
_MAX_BYTES = 1_000_000


def read_rules(path: Path) -> Rules:
    """The rules in a file; none if there is no file. One that is no rules is put aside, and told of."""
    try:
        with path.open("rb") as file:
            return _RULES.validate_json(file.read(_MAX_BYTES))
    except FileNotFoundError:
        return Rules()
    except OSError as error:
        log.warning("%s: mutes and thresholds cannot be read: %s", path, error.strerror)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        log.warning("%s: expected mutes and thresholds, put aside: %s", path, first["msg"])
        _put_aside(path)
    return Rules()


def _put_aside(path: Path) -> None:
    try:
        path.replace(path.with_name(path.name + ".corrupt"))
    except OSError as error:
        log.warning("%s: cannot be put aside: %s", path, error.strerror)


def write_rules(path: Path, rules: Rules) -> None:
    """Replace the file, whole or not at all; only its owner may read it.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    partial = path.with_name(path.name + ".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(_RULES.dump_json(rules, indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
