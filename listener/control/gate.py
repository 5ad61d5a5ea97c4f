"""Which commands are let in: fresh ones, each once, and not too many."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from listener.control.commands import Command, CommandError

FRESH_SECONDS = 60.0
COMMANDS_PER_SECOND = 10


class CrowdedError(CommandError):
    """Too many commands at once."""


class CommandGate:
    """Remembers the ids of accepted commands for as long as these are fresh.

    What was given before the gate was built is refused, since the ids of that time are not known.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now, self._monotonic = now, monotonic
        self._opened_at = now()
        self._known: dict[str, float] = {}  # id -> unix seconds until which it would be fresh
        self._turns: deque[float] = deque(maxlen=COMMANDS_PER_SECOND)  # monotonic seconds

    def take_turn(self) -> None:
        """Count one more request.

        Raises:
            CrowdedError: there were too many in the last second.
        """
        now = self._monotonic()
        if len(self._turns) == COMMANDS_PER_SECOND and now - self._turns[0] < 1.0:
            raise CrowdedError(f"expected at most {COMMANDS_PER_SECOND} commands a second")
        self._turns.append(now)

    def admit(self, command: Command) -> None:
        """Let a command in.

        Raises:
            CommandError: it is stale, from the future, or was let in before.
        """
        now, at = self._now(), command.at.timestamp()
        if abs(now - at) > FRESH_SECONDS:
            raise CommandError(
                f"at: expected within {FRESH_SECONDS:g} s of now, it is off by {now - at:.0f} s"
            )
        if at < self._opened_at:
            raise CommandError("at: expected a time since the station began")
        self._known = {known: until for known, until in self._known.items() if until > now}
        if command.id in self._known:
            raise CommandError(f"id: expected one that was not used before, got {command.id!r}")
        self._known[command.id] = at + FRESH_SECONDS
