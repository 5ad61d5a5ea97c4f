"""The dispatcher handles the requests that wait, answers each and counts its result."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from listener.control.commands import Command, CommandError, Reload
from listener.control.dispatcher import (
    WAITING_REQUESTS,
    Answer,
    CommandDispatcher,
    RateLimit,
    ReplayGuard,
    Request,
)
from listener.health import Health

STARTED_AT = 1_000_000.0


@dataclass
class ListHandler:
    """Keeps commands, or refuses them."""

    error: str | None = None
    handled: list[tuple[Command, str]] = field(default_factory=list)

    def handle(self, command: Command, origin: str) -> Answer:
        if self.error is not None:
            raise CommandError(self.error)
        self.handled.append((command, origin))
        return {"number": len(self.handled)}


class Bench:
    def __init__(self, error: str | None = None) -> None:
        self.handler, self.health = ListHandler(error), Health((), "doubles@1")
        self.step = 1.0  # seconds that pass with each reading of the clock
        self._seconds = 0.0
        self.dispatcher = CommandDispatcher(self.handler, self.health, self._clock)
        self.answers: list[Answer] = []

    def _clock(self) -> float:
        self._seconds += self.step
        return self._seconds

    def submit(self, name: str = "reload", number: int = 1, objection: str | None = None) -> bool:
        document = {"id": f"n{number}", "at": datetime.now(UTC).isoformat()}
        payload = json.dumps(document).encode()
        request = Request(name, payload, "mqtt", self.answers.append, objection)
        return self.dispatcher.submit(request)


def test_a_request_waits_for_the_tick():
    bench = Bench()
    assert bench.submit()
    assert (bench.handler.handled, bench.answers) == ([], [])
    bench.dispatcher.tick()
    assert bench.answers == [{"ok": True, "number": 1}]
    assert bench.handler.handled[0][1] == "mqtt"
    assert bench.health.commands == {("reload", "done"): 1}


def test_each_queued_request_wakes_the_main_thread():
    bench = Bench()
    woken: list[str] = []
    bench.dispatcher.wake = lambda: woken.append("now")
    queued = [bench.submit() for _ in range(WAITING_REQUESTS + 1)]
    assert queued == [True] * WAITING_REQUESTS + [False]
    assert len(woken) == WAITING_REQUESTS


def test_a_failure_is_answered_with_its_reason():
    bench = Bench("the disk is full")
    bench.submit()
    bench.dispatcher.tick()
    assert bench.answers == [{"ok": False, "error": "the disk is full"}]
    assert bench.health.commands == {("reload", "refused"): 1}


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
    bench.dispatcher.tick()
    assert bench.health.commands == {("unknown", "refused"): 3}


def test_requests_over_the_limit_are_dropped_counted_and_logged_once(
    caplog: pytest.LogCaptureFixture,
):
    bench = Bench()
    queued = [bench.submit(number=number) for number in range(WAITING_REQUESTS + 5)]
    assert queued == [True] * WAITING_REQUESTS + [False] * 5
    assert bench.health.commands == {("reload", "dropped"): 5}
    assert caplog.text.count("others are dropped") == 1
    bench.dispatcher.tick()
    assert len(bench.answers) == WAITING_REQUESTS
    assert bench.submit(number=1000)


def test_every_request_over_the_rate_is_refused_and_the_first_is_logged(
    caplog: pytest.LogCaptureFixture,
):
    bench = Bench()
    bench.step = 0.001
    for number in range(40):
        bench.submit(number=number)
    bench.dispatcher.tick()
    assert bench.health.commands == {("reload", "done"): 10, ("reload", "refused"): 30}
    assert caplog.text.count("at most 10 commands a second") == 1


class Clock:
    """A clock that a test sets."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def reload_at(seconds: float, name: str = "a") -> Reload:
    return Reload(id=name, at=datetime.fromtimestamp(seconds, UTC))


@pytest.fixture
def clock() -> Clock:
    return Clock(STARTED_AT)


@pytest.fixture
def guard(clock: Clock) -> ReplayGuard:
    guard = ReplayGuard(clock)
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
    guard = ReplayGuard(clock)
    clock.seconds += 5
    with pytest.raises(CommandError, match="since the station began"):
        guard.admit(reload_at(STARTED_AT - 1))
    assert admits(guard, reload_at(STARTED_AT + 1))


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
