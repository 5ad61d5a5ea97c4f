"""Results as plain values, for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path


def to_document(value: object) -> object:
    """Dataclasses as dicts with their fields and properties, tuples as lists, paths as text.

    Sets are sorted, other values stay as they are.
    """
    if is_dataclass(value):
        names = [field.name for field in fields(value)] + _properties(value)
        return {name: to_document(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): to_document(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [to_document(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _properties(value: object) -> list[str]:
    named = vars(type(value)).items()
    return [name for name, what in named if isinstance(what, property) and name[0] != "_"]
