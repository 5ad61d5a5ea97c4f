"""Commands from any thread: checked, handled on one thread, answered and counted."""

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, Protocol

from listener.control.commands import COMMAND_NAMES, Command, CommandError, parse_command
from listener.faults import FaultBarrier
from listener.health import Health

log = logging.getLogger(__name__)

FRESH_SECONDS = 60.0
COMMANDS_PER_SECOND = 10
WAITING_REQUESTS = 64
MOST_IDS = 10_000  # many times those of two minutes at the highest rate
# Of one tick, so that what else the thread does gets its turn
TURN_REQUESTS = 8
TURN_SECONDS = 0.1

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


@dataclass(frozen=True, slots=True)
class Deferred:
    """An answer for which another thread works; nobody waits for it.

    `answer` gives it once `future` is done, or raises CommandError. After `seconds` the work is cancelled,
    and the command refused with `late`. Work that has begun by then gets as long again; then nobody
    knows, and `unsure` says so.
    """

    future: Future[Any]
    answer: Callable[[], Answer]
    seconds: float
    late: str
    unsure: str


class RateLimitError(CommandError):
    """Too many commands in a second."""


class CommandHandler(Protocol):
    """Carries out commands."""

    def handle(self, command: Command, origin: str) -> Answer | Deferred:
        """Carry out a command without waiting; what the answer says beside `ok`.

        Raises:
            CommandError: it cannot be done, and nothing has changed.
        """


class CommandDispatcher:
    """Queues up to WAITING_REQUESTS requests; `tick` handles them on one thread and waits for nobody.

    The rate of commands is that of their arrival. `wake` is called on any thread when there is something
    to do.
    """

    def __init__(
        self,
        handler: CommandHandler,
        health: Health,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handler, self._health, self._monotonic = handler, health, monotonic
        self._replay_guard, self._rate_limit = ReplayGuard(), RateLimit(monotonic)
        self._barrier = FaultBarrier("commands", health.faults)
        self.wake: Callable[[], None] = lambda: None
        self._lock = Lock()
        self._waiting: deque[tuple[Request, RateLimitError | None]] = deque()
        self._deferred: list[tuple[Request, Deferred, float]] = []  # since when, monotonic
        self._overflowing = self._limited = False  # each is logged once in a row

    def submit(self, request: Request) -> bool:
        """Queue a request; False if the queue is full: it is counted and never answered."""
        refusal = None
        with self._lock:
            queued = len(self._waiting) < WAITING_REQUESTS
            try:
                self._rate_limit.admit()
            except RateLimitError as error:
                refusal = error
            if queued:
                self._waiting.append((request, refusal))
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
        """Answer what other threads have finished, then handle a few of the requests that wait."""
        deferred, self._deferred = self._deferred, []
        for request, work, since in deferred:
            self._attempt(request, partial(self._settle, work, since), since)
        began = self._monotonic()
        for _ in range(TURN_REQUESTS):
            if not self._waiting or self._monotonic() - began >= TURN_SECONDS:
                break
            with self._lock:
                request, refusal = self._waiting.popleft()
            self._attempt(request, partial(self._execute, request, refusal), self._monotonic())
        if self._waiting:
            self.wake()

    def _attempt(
        self, request: Request, call: Callable[[], Answer | Deferred], since: float
    ) -> None:
        result = "failed"
        answer: Answer = {"ok": False, "error": "an unexpected error, which the log shows"}
        with self._barrier:
            try:
                outcome = call()
            except CommandError as error:
                limited = isinstance(error, RateLimitError)
                if not (limited and self._limited):
                    log.warning("command from %s refused: %s", request.origin, error)
                self._limited = limited
                result, answer = "refused", {"ok": False, "error": str(error)}
            else:
                if isinstance(outcome, Deferred):
                    self._deferred.append((request, outcome, since))
                    return
                log.info("command from %s: %s done", request.origin, request.name)
                result, answer = "done", {"ok": True} | outcome
        self.count(request.name, result)
        with self._barrier:
            request.answer(answer)

    def _execute(self, request: Request, refusal: RateLimitError | None) -> Answer | Deferred:
        if refusal is not None:
            raise refusal
        if request.objection is not None:
            raise CommandError(request.objection)
        command = parse_command(request.name, request.payload)
        self._replay_guard.admit(command)
        outcome = self._handler.handle(command, request.origin)
        if isinstance(outcome, Deferred):
            outcome.future.add_done_callback(lambda _: self.wake())
        return outcome

    def _settle(self, work: Deferred, since: float) -> Answer | Deferred:
        """The answer, or the work itself if it is not done and still has time."""
        waited = self._monotonic() - since
        if work.future.done():
            return work.answer()
        if waited >= work.seconds and work.future.cancel():
            raise CommandError(work.late)
        if waited >= 2 * work.seconds:
            raise CommandError(work.unsure)
        return work


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

    Commands from before the station started are refused, because their ids are not known. The clock may
    be set: the start is told by how long ago it was, and an id is forgotten when its time is over on both
    clocks, so that a command does not become fresh again. At most MOST_IDS are remembered.
    """

    def __init__(
        self, now: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._now, self._monotonic = now, monotonic
        self._started_at = monotonic()
        # id -> when its command is stale: unix seconds, monotonic seconds
        self._known: dict[str, tuple[float, float]] = {}

    def admit(self, command: Command) -> None:
        """Admit a command and remember its id.

        Raises:
            CommandError: it is stale, from the future, or its id was used before.
        """
        now, uptime, at = self._now(), self._monotonic(), command.at.timestamp()
        if abs(now - at) > FRESH_SECONDS:
            raise CommandError(
                f"at: expected within {FRESH_SECONDS:g} s of now, it is off by {now - at:.0f} s"
            )
        if now - at > uptime - self._started_at:
            raise CommandError("at: expected a time since the station began")
        self._known = {
            known: ends for known, ends in self._known.items() if ends[0] > now or ends[1] > uptime
        }
        if command.id in self._known:
            raise CommandError(f"id: expected one that was not used before, got {command.id!r}")
        if len(self._known) >= MOST_IDS:
            del self._known[next(iter(self._known))]  # the oldest
        self._known[command.id] = (at + FRESH_SECONDS, uptime + at - now + FRESH_SECONDS)
