"""The dispatcher handles the requests that wait, answers each and counts its result."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from listener.control import dispatcher as module
from listener.control.commands import Command, CommandError, Reload
from listener.control.dispatcher import (
    TURN_REQUESTS,
    TURN_SECONDS,
    WAITING_REQUESTS,
    Answer,
    CommandDispatcher,
    Deferred,
    RateLimit,
    ReplayGuard,
    Request,
)
from listener.health import Health

STARTED_AT = 1_000_000.0


class Clock:
    """A clock that a test sets."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


@dataclass
class ListHandler:
    """Keeps commands, or refuses them, or lets another thread answer."""

    error: Exception | None = None
    deferred: Deferred | None = None
    handled: list[tuple[Command, str]] = field(default_factory=list)

    def handle(self, command: Command, origin: str) -> Answer | Deferred:
        if self.error is not None:
            raise self.error
        self.handled.append((command, origin))
        return self.deferred or {"number": len(self.handled)}


class Bench:
    def __init__(self, error: Exception | None = None, deferred: Deferred | None = None) -> None:
        self.handler = ListHandler(error, deferred)
        self.health = Health((), "doubles@1")
        self.step = 1.0  # seconds between two requests
        self.clock = Clock(0.0)
        self.dispatcher = CommandDispatcher(self.handler, self.health, self.clock)
        self.answers: list[Answer] = []
        self.woken = 0
        self.dispatcher.wake = self._wake

    def _wake(self) -> None:
        self.woken += 1

    def submit(self, name: str = "reload", number: int = 1, objection: str | None = None) -> bool:
        self.clock.seconds += self.step
        document = {"id": f"n{number}", "at": datetime.now(UTC).isoformat()}
        payload = json.dumps(document).encode()
        request = Request(name, payload, "mqtt", self.answers.append, objection)
        return self.dispatcher.submit(request)

    def handle_all(self) -> int:
        """Tick as long as it wants to be woken; how often."""
        ticks = 0
        while self.woken:
            self.woken = 0
            self.dispatcher.tick()
            ticks += 1
        return ticks


def test_a_request_waits_for_the_tick():
    bench = Bench()
    assert bench.submit()
    assert (bench.handler.handled, bench.answers) == ([], [])
    bench.dispatcher.tick()
    assert bench.answers == [{"ok": True, "number": 1}]
    assert bench.handler.handled[0][1] == "mqtt"
    assert bench.health.commands == {("reload", "done"): 1}


def test_each_queued_request_wakes_the_thread():
    bench = Bench()
    queued = [bench.submit() for _ in range(WAITING_REQUESTS + 1)]
    assert queued == [True] * WAITING_REQUESTS + [False]
    assert bench.woken == WAITING_REQUESTS


def test_a_failure_is_answered_with_its_reason():
    bench = Bench(CommandError("the disk is full"))
    bench.submit()
    bench.dispatcher.tick()
    assert bench.answers == [{"ok": False, "error": "the disk is full"}]
    assert bench.health.commands == {("reload", "refused"): 1}


def test_an_unexpected_error_is_answered_counted_and_logged_and_the_next_command_is_handled(
    caplog: pytest.LogCaptureFixture,
):
    bench = Bench(ZeroDivisionError("a bug"))
    bench.submit(number=1)
    bench.submit(number=2)
    bench.handle_all()
    assert [answer["ok"] for answer in bench.answers] == [False, False]
    assert "the log shows" in bench.answers[0]["error"]
    assert bench.health.commands == {("reload", "failed"): 2}
    assert bench.health.faults["commands"] == 2
    assert caplog.text.count("ZeroDivisionError: a bug") == 1


def test_an_answer_that_cannot_be_given_stops_nothing():
    bench = Bench()

    def fail(_: Answer) -> None:
        raise OSError("the client is gone")

    document = {"id": "n0", "at": datetime.now(UTC).isoformat()}
    bench.dispatcher.submit(Request("reload", json.dumps(document).encode(), "http", fail))
    bench.submit()
    bench.handle_all()
    assert bench.answers == [{"ok": True, "number": 2}]
    assert bench.health.faults["commands"] == 1


def test_a_tick_handles_a_few_requests_and_asks_for_another():
    bench = Bench()
    for number in range(20):
        bench.submit(number=number)
    bench.dispatcher.tick()
    assert len(bench.answers) == TURN_REQUESTS
    assert bench.handle_all() == 2
    assert len(bench.answers) == 20


def test_a_tick_ends_after_a_slow_command():
    bench = Bench()

    class Slow(ListHandler):
        def handle(self, command: Command, origin: str) -> Answer | Deferred:
            bench.clock.seconds += 2 * TURN_SECONDS
            return super().handle(command, origin)

    bench.dispatcher._handler = Slow()
    for number in range(5):
        bench.submit(number=number)
    bench.dispatcher.tick()
    assert len(bench.answers) == 1
    assert bench.handle_all() == 4


def deferred(future: Future[str], seconds: float = 3.0) -> Deferred:
    return Deferred(future, lambda: {"clip": future.result()}, seconds, "too late", "who knows")


def test_sixty_commands_that_others_answer_are_waited_for_by_nobody():
    """A tick takes no time: the clock is the test's, and nothing but the test moves it."""
    future: Future[str] = Future()
    bench = Bench(deferred=deferred(future))
    for number in range(60):
        bench.submit("reload", number)
    bench.handle_all()
    assert (bench.answers, len(bench.handler.handled)) == ([], 60)
    future.set_result("it")
    assert bench.woken == 60
    bench.handle_all()
    assert bench.answers == [{"ok": True, "clip": "it"}] * 60
    assert bench.health.commands == {("reload", "done"): 60}


def test_work_that_is_late_is_cancelled_and_refused():
    future: Future[str] = Future()
    bench = Bench(deferred=deferred(future))
    bench.submit()
    bench.dispatcher.tick()
    bench.clock.seconds += 2.9
    bench.dispatcher.tick()
    assert bench.answers == []
    bench.clock.seconds += 0.2
    bench.dispatcher.tick()
    assert bench.answers == [{"ok": False, "error": "too late"}]
    assert future.cancelled()
    assert bench.health.commands == {("reload", "refused"): 1}


@pytest.mark.parametrize(
    ("seconds", "finished", "answer"),
    [
        (4.0, True, {"ok": True, "clip": "it"}),
        (4.0, False, None),
        (6.1, False, {"ok": False, "error": "who knows"}),
    ],
)
def test_work_that_has_begun_gets_as_long_again(
    seconds: float, finished: bool, answer: Answer | None
):
    future: Future[str] = Future()
    future.set_running_or_notify_cancel()
    bench = Bench(deferred=deferred(future))
    bench.submit()
    bench.dispatcher.tick()
    bench.clock.seconds += seconds
    if finished:
        future.set_result("it")
    bench.dispatcher.tick()
    assert bench.answers == ([] if answer is None else [answer])


def test_an_objection_of_the_transport_refuses_the_request():
    bench = Bench()
    bench.submit(objection="it was retained")
    bench.dispatcher.tick()
    assert bench.answers == [{"ok": False, "error": "it was retained"}]
    assert bench.handler.handled == []


def test_unknown_names_share_one_counter():
    bench = Bench()
    for number, name in enumerate(["explode", "../x", "\x00"]):
        bench.submit(name, number)
    bench.handle_all()
    assert bench.health.commands == {("unknown", "refused"): 3}


def test_requests_over_the_limit_are_dropped_counted_and_logged_once(
    caplog: pytest.LogCaptureFixture,
):
    bench = Bench()
    queued = [bench.submit(number=number) for number in range(WAITING_REQUESTS + 5)]
    assert queued == [True] * WAITING_REQUESTS + [False] * 5
    assert bench.health.commands == {("reload", "dropped"): 5}
    assert caplog.text.count("others are dropped") == 1
    bench.handle_all()
    assert len(bench.answers) == WAITING_REQUESTS
    assert bench.submit(number=1000)


def test_every_request_over_the_rate_is_refused_and_the_first_is_logged(
    caplog: pytest.LogCaptureFixture,
):
    bench = Bench()
    bench.step = 0.001
    for number in range(40):
        bench.submit(number=number)
    bench.clock.seconds += 100.0  # it counts when they came, not when they are handled
    bench.handle_all()
    assert bench.health.commands == {("reload", "done"): 10, ("reload", "refused"): 30}
    assert caplog.text.count("at most 10 commands a second") == 1


def reload_at(seconds: float, name: str = "a") -> Reload:
    return Reload(id=name, at=datetime.fromtimestamp(seconds, UTC))


@pytest.fixture
def clock() -> Clock:
    return Clock(STARTED_AT)


@pytest.fixture
def guard(clock: Clock) -> ReplayGuard:
    guard = ReplayGuard(clock, clock)
    clock.seconds = STARTED_AT + 1000
    return guard


def admits(guard: ReplayGuard, command: Reload) -> bool:
    try:
        guard.admit(command)
    except CommandError:
        return False
    return True


@pytest.mark.parametrize(
    ("off", "admitted"), [(0, True), (-60, True), (60, True), (-61, False), (61, False)]
)
def test_a_command_is_fresh_for_a_minute(
    guard: ReplayGuard, clock: Clock, off: float, admitted: bool
):
    assert admits(guard, reload_at(clock.seconds + off)) is admitted


def test_an_id_is_used_once_while_its_command_may_be_fresh(guard: ReplayGuard, clock: Clock):
    ahead = reload_at(clock.seconds + 60)
    assert admits(guard, ahead)
    for _ in range(3):
        clock.seconds += 39.9
        assert not admits(guard, ahead)
    clock.seconds += 1
    with pytest.raises(CommandError, match="expected within 60 s of now"):
        guard.admit(ahead)
    assert admits(guard, reload_at(clock.seconds, "a"))  # the same id at a new time


def test_a_refused_command_leaves_its_id_unused(guard: ReplayGuard, clock: Clock):
    assert not admits(guard, reload_at(clock.seconds - 100))
    assert admits(guard, reload_at(clock.seconds))


def test_commands_from_before_the_start_are_refused(clock: Clock):
    guard = ReplayGuard(clock, clock)
    clock.seconds += 5
    with pytest.raises(CommandError, match="since the station began"):
        guard.admit(reload_at(STARTED_AT - 1))
    assert admits(guard, reload_at(STARTED_AT + 1))


YEAR_SECONDS = 365 * 86_400.0


class SetGuard:
    """A guard that has run for a while, and whose clock the test sets."""

    def __init__(self) -> None:
        self.uptime, self.clock = Clock(0.0), Clock(STARTED_AT)
        self.guard = ReplayGuard(self.clock, self.uptime)
        self.passes(1000.0)

    def passes(self, seconds: float, step: float = 0.0) -> None:
        self.uptime.seconds += seconds
        self.clock.seconds += seconds + step


@pytest.mark.parametrize("step", [-YEAR_SECONDS, -3600.0, 3600.0, YEAR_SECONDS])
def test_commands_are_admitted_after_the_clock_was_set(step: float):
    """The control is the start as a time of day: after a year back, no command is younger than it."""
    set_guard = SetGuard()
    set_guard.passes(1.0, step)
    assert admits(set_guard.guard, reload_at(set_guard.clock.seconds))
    if step < 0:
        assert set_guard.clock.seconds < STARTED_AT


def test_a_command_does_not_become_fresh_again_when_the_clock_is_set_back():
    set_guard = SetGuard()
    once = reload_at(set_guard.clock.seconds)
    assert admits(set_guard.guard, once)
    set_guard.passes(3600.0, step=-3600.0)
    assert abs(set_guard.clock.seconds - once.at.timestamp()) < 1.0
    assert not admits(set_guard.guard, once)


def test_few_ids_are_remembered_whatever_the_clock_does(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_IDS", 3)
    set_guard = SetGuard()
    for number in range(9):
        assert admits(set_guard.guard, reload_at(set_guard.clock.seconds, f"n{number}"))
    assert list(set_guard.guard._known) == ["n6", "n7", "n8"]


def test_a_time_in_the_first_year_of_the_calendar_is_stale(guard: ReplayGuard):
    oldest = datetime.fromisoformat("0001-01-01T00:00:00+14:00")
    assert not admits(guard, Reload(id="a", at=oldest))


def test_ten_commands_in_any_second(clock: Clock):
    limit = RateLimit(clock)
    for number in range(10):
        clock.seconds = STARTED_AT + number / 100
        limit.admit()
    clock.seconds = STARTED_AT + 0.99
    with pytest.raises(CommandError, match="at most 10 commands a second"):
        limit.admit()
    clock.seconds = STARTED_AT + 1.0
    limit.admit()
    with pytest.raises(CommandError):
        limit.admit()
