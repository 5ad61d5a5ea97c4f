"""Inputs that are nearly right: a good one, with a few things changed."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

_WORDS = [
    b"",
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\0\0\0\x80",
    b"[",
    b"{",
    b'"',
    b"\n",
    b"..",
    b"9" * 40,
]
_MANY = 64  # bytes that are taken out or put in twice

_key = st.text(max_size=8)
_leaf = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["../../x", "/etc/passwd", "a\0b", "NaN", "~x", "$X/y", "x" * 300])
)
json_values = st.recursive(
    _leaf,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_key, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """One of the seeds with up to four bytes or stretches changed, or any bytes at all."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        if draw(st.booleans()):
            at = min(at, draw(st.integers(0, 200)))  # headers are where the mischief is
        length = draw(st.integers(0, _MANY))
        word = draw(st.sampled_from(_WORDS) | st.binary(max_size=8))
        match draw(st.sampled_from(["replace", "insert", "remove", "repeat", "cut"])):
            case "replace":
                content[at : at + len(word)] = word
            case "insert":
                content[at:at] = word
            case "remove":
                del content[at : at + length]
            case "repeat":
                content[at:at] = content[at : at + length] * 3
            case "cut":
                del content[at:]
    return bytes(content)


@st.composite
def documents(draw: st.DrawFn, seed: dict[str, Any]) -> bytes:
    """The document as JSON with up to three of its values, keys or parts another."""
    document = json.loads(json.dumps(seed))
    for _ in range(draw(st.integers(1, 3))):
        holder = document
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = draw(st.sampled_from(keys)) if keys else None
            inner = None if key is None else holder[key]
            if key is None or not isinstance(inner, dict | list) or draw(st.booleans()):
                break
            holder = inner
        if key is not None and draw(st.integers(0, 4)):
            holder[key] = draw(json_values)
        elif isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = draw(json_values)
    return json.dumps(document).encode()
