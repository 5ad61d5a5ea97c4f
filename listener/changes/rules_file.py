"""The rules on disk, so that they are kept over restarts."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from listener.changes.rules import Rules
from listener.state_file import read_state, write_state

_RULES = TypeAdapter(Rules)


def read_rules(path: Path) -> Rules:
    """The rules in a file; none if there is no file. One that is no rules is put aside, and told of."""
    return read_state(path, _RULES, Rules(), "mutes and thresholds")


def write_rules(path: Path, rules: Rules) -> None:
    """Replace the file, whole or not at all; only its owner may read it.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    write_state(path, _RULES, rules)
