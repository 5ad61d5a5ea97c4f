"""The gate lets fresh commands in, each once, ten a second."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from listener.control.commands import CommandError, Reload
from listener.control.gate import CommandGate

BEGAN = 1_000_000.0


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
def gate(clock: Clock) -> CommandGate:
    gate = CommandGate(clock, clock)
    clock.seconds = BEGAN + 1000
    return gate


def admits(gate: CommandGate, command: Reload) -> bool:
    try:
        gate.admit(command)
    except CommandError:
        return False
    return True


@pytest.mark.parametrize(
    ("off", "admitted"), [(0, True), (-60, True), (60, True), (-61, False), (61, False)]
)
def test_a_command_is_fresh_for_a_minute(
    gate: CommandGate, clock: Clock, off: float, admitted: bool
):
    assert admits(gate, reload_at(clock.seconds + off)) is admitted


def test_an_id_is_used_once_for_as_long_as_it_could_be_fresh(gate: CommandGate, clock: Clock):
    ahead = reload_at(clock.seconds + 60)
    assert admits(gate, ahead)
    for _ in range(3):
        clock.seconds += 39.9
        assert not admits(gate, ahead)
    clock.seconds += 1
    with pytest.raises(CommandError, match="expected within 60 s of now"):
        gate.admit(ahead)
    assert admits(gate, reload_at(clock.seconds, "a"))  # the id, but a new time


def test_what_was_refused_has_not_used_its_id(gate: CommandGate, clock: Clock):
    assert not admits(gate, reload_at(clock.seconds - 100))
    assert admits(gate, reload_at(clock.seconds))


def test_nothing_from_before_the_start_is_let_in(clock: Clock):
    gate = CommandGate(clock, clock)
    clock.seconds += 5
    with pytest.raises(CommandError, match="since the station began"):
        gate.admit(reload_at(BEGAN - 1))
    assert admits(gate, reload_at(BEGAN + 1))


def test_the_first_years_of_the_calendar_are_only_stale(gate: CommandGate):
    oldest = datetime.fromisoformat("0001-01-01T00:00:00+14:00")
    assert not admits(gate, Reload(id="a", at=oldest))


def test_ten_turns_a_second(gate: CommandGate, clock: Clock):
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
