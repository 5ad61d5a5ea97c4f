"""Commands from any thread: checked, handled on one thread, answered and counted."""

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

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """A command as it arrived; `objection` says why its transport refuses it, in one line.

    `answer` is called on the dispatcher's thread and must not block.
    """

    name: str
    payload: bytes
    origin: str  # mqtt, http or review: for the log, and as the author of a verdict without a name
    answer: Callable[[Answer], None]
    objection: str | None = None


class CommandHandler(Protocol):
    """Carries out commands."""

    def handle(self, command: Command, origin: str) -> Answer:
        """Carry out a command; what the answer says beside `ok`.

        Raises:
            CommandError: it cannot be done, and nothing has changed.
        """


class CommandDispatcher:
    """Queues up to WAITING_REQUESTS requests; `tick` handles them on the main thread.

    `wake` is called on any thread when a request has arrived.
    """

    def __init__(
        self,
        handler: CommandHandler,
        health: Health,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handler, self._health = handler, health
        self._replay_guard, self._rate_limit = ReplayGuard(), RateLimit(monotonic)
        self.wake: Callable[[], None] = lambda: None
        self._lock = Lock()
        self._waiting: deque[Request] = deque()
        self._overflowing = self._limited = False  # each is logged once in a row

    def submit(self, request: Request) -> bool:
        """Queue a request; False if the queue is full: it is counted and never answered."""
        with self._lock:
            queued = len(self._waiting) < WAITING_REQUESTS
            if queued:
                self._waiting.append(request)
            first, self._overflowing = not (queued or self._overflowing), not queued
        if queued:
            self.wake()
        else:
            self.count(request.name, "dropped")
        if first:
            log.warning("commands: more than %d wait, others are dropped", WAITING_REQUESTS)
        return queued

    def count(self, name: str, result: str) -> None:
        """Count the result of a request; from any thread."""
        known = name if name in COMMAND_NAMES else "unknown"
        with self._lock:
            self._health.commands[known, result] += 1

    def tick(self) -> None:
        """Handle and answer the requests that wait."""
        for _ in range(len(self._waiting)):
            with self._lock:
                request = self._waiting.popleft()
            answer: Answer
            try:
                answer = {"ok": True} | self._execute(request)
            except CommandError as error:
                limited = isinstance(error, RateLimitError)
                if not (limited and self._limited):
                    log.warning("command from %s refused: %s", request.origin, error)
                self._limited = limited
                self.count(request.name, "refused")
                answer = {"ok": False, "error": str(error)}
            else:
                log.info("command from %s: %s done", request.origin, request.name)
                self.count(request.name, "done")
            request.answer(answer)

    def _execute(self, request: Request) -> Answer:
        self._rate_limit.admit()
        if request.objection is not None:
            raise CommandError(request.objection)
        command = parse_command(request.name, request.payload)
        self._replay_guard.admit(command)
        return self._handler.handle(command, request.origin)


class RateLimitError(CommandError):
    """Too many commands in a second."""


class RateLimit:
    """At most COMMANDS_PER_SECOND in any second.

    A window and not a token bucket: a bucket of that size lets almost twice as many through in a second.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._admitted_at: deque[float] = deque(maxlen=COMMANDS_PER_SECOND)  # monotonic seconds

    def admit(self) -> None:
        """Count one more request.

        Raises:
            RateLimitError: there were too many in the last second.
        """
        now = self._monotonic()
        if len(self._admitted_at) == COMMANDS_PER_SECOND and now - self._admitted_at[0] < 1.0:
            raise RateLimitError(f"expected at most {COMMANDS_PER_SECOND} commands a second")
        self._admitted_at.append(now)


class ReplayGuard:
    """Admits fresh commands, each id once: it remembers ids while their commands are fresh.

    Commands from before the station started are refused, because their ids are not known.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._started_at = now()
        self._known: dict[str, float] = {}  # id -> unix seconds at which its command is stale

    def admit(self, command: Command) -> None:
        """Admit a command and remember its id.

        Raises:
            CommandError: it is stale, from the future, or its id was used before.
        """
        now, at = self._now(), command.at.timestamp()
        if abs(now - at) > FRESH_SECONDS:
            raise CommandError(
                f"at: expected within {FRESH_SECONDS:g} s of now, it is off by {now - at:.0f} s"
            )
        if at < self._started_at:
            raise CommandError("at: expected a time since the station began")
        self._known = {known: until for known, until in self._known.items() if until > now}
        if command.id in self._known:
            raise CommandError(f"id: expected one that was not used before, got {command.id!r}")
        self._known[command.id] = at + FRESH_SECONDS
