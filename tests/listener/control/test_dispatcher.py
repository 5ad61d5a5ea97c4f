"""The desk carries out what waits, answers each, and counts what became of it."""

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
    ReplayGuard,
    Request,
)
from listener.health import Health

BEGAN = 1_000_000.0


@dataclass
class ListActor:
    """Keeps commands, or refuses them."""

    error: str | None = None
    done: list[tuple[Command, str]] = field(default_factory=list)

    def act(self, command: Command, origin: str) -> Answer:
        if self.error is not None:
            raise CommandError(self.error)
        self.done.append((command, origin))
        return {"number": len(self.done)}


class Bench:
    def __init__(self, error: str | None = None) -> None:
        self.actor, self.health = ListActor(error), Health((), "doubles@1")
        self.step = 1.0  # seconds that pass at each look at the clock
        self._seconds = 0.0
        gate = ReplayGuard(monotonic=self._clock)
        self.desk = CommandDispatcher(gate, self.actor, self.health)
        self.answers: list[Answer] = []

    def _clock(self) -> float:
        self._seconds += self.step
        return self._seconds

    def submit(self, name: str = "reload", number: int = 1, objection: str | None = None) -> bool:
        document = {"id": f"n{number}", "at": datetime.now(UTC).isoformat()}
        payload = json.dumps(document).encode()
        return self.desk.submit(Request(name, payload, "mqtt", self.answers.append, objection))


def test_nothing_is_done_before_the_work():
    bench = Bench()
    assert bench.submit()
    assert (bench.actor.done, bench.answers) == ([], [])
    bench.desk.work()
    assert bench.answers == [{"ok": True, "number": 1}]
    assert bench.actor.done[0][1] == "mqtt"
    assert bench.health.commands == {("reload", "done"): 1}


def test_who_works_is_woken_for_each_that_is_taken():
    bench = Bench()
    woken: list[str] = []
    bench.desk.wake = lambda: woken.append("now")
    taken = [bench.submit() for _ in range(WAITING_REQUESTS + 1)]
    assert taken == [True] * WAITING_REQUESTS + [False]
    assert len(woken) == WAITING_REQUESTS


def test_what_cannot_be_done_is_answered_with_the_reason():
    bench = Bench("the disk is full")
    bench.submit()
    bench.desk.work()
    assert bench.answers == [{"ok": False, "error": "the disk is full"}]
    assert bench.health.commands == {("reload", "refused"): 1}


def test_an_objection_of_the_carrier_counts():
    bench = Bench()
    bench.submit(objection="it was retained")
    bench.desk.work()
    assert (bench.answers, bench.actor.done) == ([{"ok": False, "error": "it was retained"}], [])


def test_names_that_nobody_knows_are_one_count():
    bench = Bench()
    for number, name in enumerate(["explode", "../x", "\x00"]):
        bench.submit(name, number)
    bench.desk.work()
    assert bench.health.commands == {("unknown", "refused"): 3}


def test_more_than_may_wait_is_dropped_counted_and_told_once(caplog: pytest.LogCaptureFixture):
    bench = Bench()
    taken = [bench.submit(number=number) for number in range(WAITING_REQUESTS + 5)]
    assert taken == [True] * WAITING_REQUESTS + [False] * 5
    assert bench.health.commands == {("reload", "dropped"): 5}
    assert caplog.text.count("others are dropped") == 1
    bench.desk.work()
    assert len(bench.answers) == WAITING_REQUESTS
    assert bench.submit(number=1000)


def test_a_crowd_is_refused_each_and_told_once(caplog: pytest.LogCaptureFixture):
    bench = Bench()
    bench.step = 0.001
    for number in range(40):
        bench.submit(number=number)
    bench.desk.work()
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
    return Clock(BEGAN)


@pytest.fixture
def gate(clock: Clock) -> ReplayGuard:
    gate = ReplayGuard(clock, clock)
    clock.seconds = BEGAN + 1000
    return gate


def admits(gate: ReplayGuard, command: Reload) -> bool:
    try:
        gate.admit(command)
    except CommandError:
        return False
    return True


@pytest.mark.parametrize(
    ("off", "admitted"), [(0, True), (-60, True), (60, True), (-61, False), (61, False)]
)
def test_a_command_is_fresh_for_a_minute(
    gate: ReplayGuard, clock: Clock, off: float, admitted: bool
):
    assert admits(gate, reload_at(clock.seconds + off)) is admitted


def test_an_id_is_used_once_for_as_long_as_it_could_be_fresh(gate: ReplayGuard, clock: Clock):
    ahead = reload_at(clock.seconds + 60)
    assert admits(gate, ahead)
    for _ in range(3):
        clock.seconds += 39.9
        assert not admits(gate, ahead)
    clock.seconds += 1
    with pytest.raises(CommandError, match="expected within 60 s of now"):
        gate.admit(ahead)
    assert admits(gate, reload_at(clock.seconds, "a"))  # the id, but a new time


def test_what_was_refused_has_not_used_its_id(gate: ReplayGuard, clock: Clock):
    assert not admits(gate, reload_at(clock.seconds - 100))
    assert admits(gate, reload_at(clock.seconds))


def test_nothing_from_before_the_start_is_let_in(clock: Clock):
    gate = ReplayGuard(clock, clock)
    clock.seconds += 5
    with pytest.raises(CommandError, match="since the station began"):
        gate.admit(reload_at(BEGAN - 1))
    assert admits(gate, reload_at(BEGAN + 1))


def test_the_first_years_of_the_calendar_are_only_stale(gate: ReplayGuard):
    oldest = datetime.fromisoformat("0001-01-01T00:00:00+14:00")
    assert not admits(gate, Reload(id="a", at=oldest))


def test_ten_turns_a_second(gate: ReplayGuard, clock: Clock):
    for number in range(10):
        clock.seconds = BEGAN + number / 100
        gate.take_turn()
    clock.seconds = BEGAN + 0.99
    with pytest.raises(CommandError, match="at most 10 commands a second"):
        gate.take_turn()
    clock.seconds = BEGAN + 1.0
    gate.take_turn()
    with pytest.raises(CommandError):
        gate.take_turn()
