"""What the outbox keeps of a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["waiting", "again", "done", "dead", "quarantined"]
"""`again`: done once, and asked for by `replay`. `dead`: the broker will not have it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A message; `made_at` is unix seconds, `tries` how many connections it is suspected to have broken.

    `is_gap`: it stands for messages that were dropped.
    """

    seq: int
    topic: str
    payload: bytes
    made_at: float
    is_gap: bool = False
    state: State = "waiting"
    tries: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OpenEvent:
    """An event whose start was put into the outbox and whose end was not: the start's topic and JSON."""

    id: str
    source: str
    topic: str
    payload: bytes
