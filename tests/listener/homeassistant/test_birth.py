"""Home Assistant's birth is answered once, a moment later."""

from __future__ import annotations

from listener.homeassistant.birth import JITTER_SECONDS, BirthWatch
from listener.mqtt.messages import Incoming


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def message(payload: bytes) -> Incoming:
    return Incoming("homeassistant/status", payload, False, None, None)


def test_a_birth_is_answered_once_within_the_jitter():
    clock = Clock()
    watch = BirthWatch(clock)
    watch.take(message(b"online"))
    clock.now = JITTER_SECONDS
    assert [watch.is_due(), watch.is_due()] == [True, False]


def test_not_at_once_by_all_devices_of_a_house():
    clock = Clock()
    watches = [BirthWatch(clock) for _ in range(200)]
    for watch in watches:
        watch.take(message(b"online"))
    clock.now = JITTER_SECONDS / 2
    answered = sum(watch.is_due() for watch in watches)
    assert 40 < answered < 160  # one half of 200 by chance: 8 standard deviations


def test_births_in_a_row_are_answered_together():
    clock = Clock()
    watch = BirthWatch(clock)
    for _ in range(3):
        watch.take(message(b"online"))
    clock.now = JITTER_SECONDS
    assert [watch.is_due(), watch.is_due()] == [True, False]


def test_its_will_and_all_else_is_passed_over():
    clock = Clock()
    watch = BirthWatch(clock)
    for payload in (b"offline", b"", b"\xff", b"ONLINE"):
        watch.take(message(payload))
    clock.now = 1e6
    assert not watch.is_due()
