"""Threads for what may wait for a disk, a lock or a computation, so that the main thread never does."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol, TypeVar

from listener.faults import FaultBarrier
from listener.health import Health

TICK_SECONDS = 0.5  # how soon what is due is noticed
_GRACE_SECONDS = 60.0  # a worn card may take so long, and to be killed would not help it
_CLOSE_SECONDS = 1.0

Result = TypeVar("Result")


class Periodic(Protocol):
    """A part of the station with work that becomes due."""

    def tick(self) -> None:
        """Do what is due; a few times a second."""


class Rounds:
    """The ticks of some parts, in their order; one that fails does not stop the others."""

    def __init__(self, parts: Mapping[str, Periodic], health: Health) -> None:
        self._parts = [(part, FaultBarrier(name, health.faults)) for name, part in parts.items()]

    def tick(self) -> None:
        """Let each do what is due."""
        for part, barrier in self._parts:
            with barrier:
                part.tick()


class WorkThread:
    """Does what is submitted, in order, and in between what is due in `parts`.

    `name` is its stage, for the watchdog.
    """

    def __init__(self, name: str, health: Health, parts: Mapping[str, Periodic]) -> None:
        self._name, self._health = name, health
        self._rounds, self._barrier = Rounds(parts, health), FaultBarrier(name, health.faults)
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._woken = False
        # daemon: a disk that hangs must not keep the process from ending
        self._thread = Thread(name=name, target=self._run, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        """Call it on the thread; a call that is cancelled before its turn has no effect."""
        future: Future[Result] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(call())
            except Exception as error:  # noqa: BLE001 - it belongs to whoever submitted the call
                future.set_exception(error)

        self._calls.put(work)
        return future

    def wake(self) -> None:
        """Something is due: let the thread look now; from any thread."""
        if not self._woken:  # thousands of reasons are one
            self._woken = True
            self._calls.put(_look)

    def close(self) -> None:
        """Stop after the work under way; waits a second for it at most."""
        self._calls.put(None)
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while True:
            self._health.beat(self._name, _GRACE_SECONDS)
            try:
                call = self._calls.get(timeout=TICK_SECONDS)
            except Empty:
                call = _look
            if call is None:
                return
            self._woken = False  # before the look: what comes after it wakes again
            with self._barrier:
                call()
            self._rounds.tick()


def _look() -> None:
    """No call, only a reason to let the parts do what is due."""
