"""Requests from any thread, dealt with on one: judged, carried out, answered, counted."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

from listener.control.commands import COMMAND_NAMES, Command, CommandError, parse_command
from listener.health import Health

log = logging.getLogger(__name__)

FRESH_SECONDS = 60.0
COMMANDS_PER_SECOND = 10
WAITING_REQUESTS = 64


# Which commands are let in: fresh ones, each once, and not too many.


class RateLimitError(CommandError):
    """Too many commands at once."""


class ReplayGuard:
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
            raise RateLimitError(f"expected at most {COMMANDS_PER_SECOND} commands a second")
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


Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """A command as it came. `objection` is what its carrier has against it, one line.

    `answer` is called on the thread that deals with it, and must not block.
    """

    name: str
    payload: bytes
    origin: str  # for the log and as who gave a verdict: mqtt, http
    answer: Callable[[Answer], None]
    objection: str | None = None


class CommandHandler(Protocol):
    """Carries out commands."""

    def act(self, command: Command, origin: str) -> Answer:
        """Do it; what there is to say of it beside that it is done.

        Raises:
            CommandError: it cannot be done, and nothing has changed.
        """


class CommandDispatcher:
    """Takes requests, at most WAITING_REQUESTS at a time; a caller of `work` deals with them.

    `wake` is called on any thread when one has come.
    """

    def __init__(self, gate: ReplayGuard, actor: CommandHandler, health: Health) -> None:
        self._gate, self._actor, self._health = gate, actor, health
        self.wake: Callable[[], None] = lambda: None
        self._lock = Lock()
        self._waiting: deque[Request] = deque()
        self._overflowing = self._crowded = False  # so that each is logged once in a row

    def submit(self, request: Request) -> bool:
        """Hand over a request; False if too many wait: it is counted, and nobody will answer it."""
        with self._lock:
            taken = len(self._waiting) < WAITING_REQUESTS
            if taken:
                self._waiting.append(request)
            first, self._overflowing = not (taken or self._overflowing), not taken
        if taken:
            self.wake()
        else:
            self.count(request.name, "dropped")
        if first:
            log.warning("commands: more than %d wait, others are dropped", WAITING_REQUESTS)
        return taken

    def count(self, name: str, result: str) -> None:
        """Count what became of a request; from any thread."""
        known = name if name in COMMAND_NAMES else "unknown"
        with self._lock:
            self._health.commands[known, result] += 1

    def work(self) -> None:
        """Deal with what waits."""
        for _ in range(len(self._waiting)):
            with self._lock:
                request = self._waiting.popleft()
            request.answer(self._deal_with(request))

    def _deal_with(self, request: Request) -> Answer:
        try:
            said = self._carry_out(request)
        except CommandError as error:
            self._log_refusal(request, error)
            self.count(request.name, "refused")
            return {"ok": False, "error": str(error)}
        log.info("command from %s: %s done", request.origin, request.name)
        self.count(request.name, "done")
        return {"ok": True} | said

    def _log_refusal(self, request: Request, error: CommandError) -> None:
        crowded = isinstance(error, RateLimitError)
        if not (crowded and self._crowded):
            log.warning("command from %s refused: %s", request.origin, error)
        self._crowded = crowded

    def _carry_out(self, request: Request) -> Answer:
        self._gate.take_turn()
        if request.objection is not None:
            raise CommandError(request.objection)
        command = parse_command(request.name, request.payload)
        self._gate.admit(command)
        return self._actor.act(command, request.origin)
