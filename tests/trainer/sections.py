"""A document held against the sections of trainer/provenance.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from trainer.provenance import Provenance


def faults(value: object, hint: Any = Provenance, where: str = "provenance") -> list[str]:
    """Where a document is not as the hint says: keys that are unknown or absent, other types."""
    if hint is Any:
        return []
    if is_typeddict(hint) and isinstance(value, Mapping):
        hints = get_type_hints(hint, include_extras=True)
        needed = {k for k, each in hints.items() if get_origin(each) is not NotRequired}
        odd = [f"{where}: unknown {key}" for key in value if key not in hints]
        odd += [f"{where}: no {key}" for key in needed - set(value) if hint.__total__]
        inner = [(k, get_type_hints(hint)[k]) for k in value if k in hints]
        return odd + [each for k, h in inner for each in faults(value[k], h, f"{where}.{k}")]
    if get_origin(hint) in {Union, UnionType}:
        return min((faults(value, each, where) for each in get_args(hint)), key=len)
    if get_origin(hint) is Mapping and isinstance(value, Mapping):
        item = get_args(hint)[1]
        return [f for k, each in value.items() for f in faults(each, item, f"{where}.{k}")]
    if get_origin(hint) is Sequence and isinstance(value, list):
        return [f for each in value for f in faults(each, get_args(hint)[0], where)]
    types: Any = {float: (int, float), None: NoneType}.get(hint, hint)
    plain = get_origin(hint) is None and not is_typeddict(hint)
    return (
        [] if plain and isinstance(value, types) else [f"{where}: expected {hint}, got {value!r}"]
    )
