"""Whose turn it is, and what becomes of what waits when the connection ends."""

from __future__ import annotations

import pytest

from listener.backoff import TokenBucket
from listener.mqtt.messages import OutboundMessage
from listener.mqtt.send_queue import Paces, QueuedMessage, SendQueue


def state(topic: str, payload: bytes = b"ON") -> QueuedMessage:
    return QueuedMessage(topic, payload, retain=True)


def parcel(key: int, *, alone: bool = False) -> OutboundMessage:
    return OutboundMessage(1, key, "event", b"{}", alone)


def taken(outgoing: SendQueue, count: int) -> list[QueuedMessage | OutboundMessage]:
    """What goes, and waits for its acknowledgement."""
    items: list[QueuedMessage | OutboundMessage] = []
    while outgoing.may_go and len(items) < count:
        items.append(outgoing.take())
        outgoing.note_sent(1000 + len(outgoing.in_flight), items[-1])
    return items


def test_answers_go_first_and_states_and_events_take_turns():
    outgoing = SendQueue()
    for number in range(3):
        outgoing.add(state(f"s{number}"), connected=True)
        outgoing.add_parcel(parcel(number))
    answer = QueuedMessage("answer", b"{}")
    outgoing.add(answer, connected=True)
    assert taken(outgoing, 9) == [
        answer, state("s0"), parcel(0), state("s1"), parcel(1), state("s2"), parcel(2),
    ]  # fmt: skip


def test_no_more_is_in_flight_than_the_broker_takes():
    outgoing = SendQueue()
    outgoing.retained["status"] = b"online"
    outgoing.begin(3, "status")
    for number in range(9):
        outgoing.add(state(f"s{number}"), connected=True)
    assert len(taken(outgoing, 9)) == 3


def test_a_parcel_that_goes_alone_has_nothing_beside_it():
    outgoing = SendQueue()
    outgoing.add(state("before"), connected=True)
    assert taken(outgoing, 1) == [state("before")]
    outgoing.add_parcel(parcel(7, alone=True))
    outgoing.add(state("after"), connected=True)
    assert not outgoing.may_go
    outgoing.in_flight.clear()  # acknowledged
    assert taken(outgoing, 9) == [parcel(7, alone=True)]
    assert outgoing.alone is not None


def test_a_new_connection_publishes_the_newest_of_each_topic_and_the_status_first():
    outgoing = SendQueue()
    for payload in (b"ON", b"OFF"):
        outgoing.add(state("s", payload), connected=False)
    outgoing.add(state("status", b"online"), connected=False)
    assert not outgoing.may_go
    assert outgoing.begin(None, "status") == state("status", b"online")
    assert taken(outgoing, 9) == [state("s", b"OFF")]


def test_after_a_connection_answers_wait_again_and_parcels_are_gone():
    outgoing = SendQueue()
    answers = [QueuedMessage("answer", bytes([number])) for number in range(3)]
    for answer in answers:
        outgoing.add(answer, connected=True)
    outgoing.add_parcel(parcel(1))
    taken(outgoing, 2)
    outgoing.end()
    assert taken(outgoing, 9) == answers


def test_of_many_changes_only_the_newest_are_kept():
    outgoing = SendQueue()
    for number in range(5000):
        outgoing.add(state("s", b"%d" % number), connected=True)
    left = []
    while outgoing.may_go:
        left.append(outgoing.take())
    assert len(left) <= 1003
    assert left[-1] == state("s", b"4999")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def sent_within(pace: TokenBucket, clock: Clock, seconds: float) -> int:
    count, end = 0, clock.now + seconds
    while (wait := pace.wait_seconds) + clock.now <= end:
        clock.now += wait
        pace.take()
        count += 1
    clock.now = end
    return count


def test_a_burst_and_then_the_rate():
    clock = Clock()
    pace = TokenBucket(200.0, 100, clock)
    assert sent_within(pace, clock, 0.0) == 100
    assert sent_within(pace, clock, 10.0) == pytest.approx(2000, abs=1)


def test_what_is_slower_than_the_rate_never_waits():
    clock = Clock()
    pace = TokenBucket(200.0, 100, clock)
    for _ in range(1000):
        clock.now += 0.01
        assert pace.wait_seconds == 0.0
        pace.take()


def test_a_rest_saves_no_more_than_a_burst():
    clock = Clock()
    pace = TokenBucket(200.0, 100, clock)
    clock.now += 3600.0
    assert sent_within(pace, clock, 0.0) == 100


def test_states_alone_are_faster_than_with_events():
    paces = Paces()
    alone, together = paces.now(has_events=False), paces.now(has_events=True)
    assert sum(_goes_at_once(alone) for _ in range(521)) == 521  # all labels of YAMNet
    assert sum(_goes_at_once(together) for _ in range(521)) < 300


def _goes_at_once(pace: TokenBucket) -> bool:
    if pace.wait_seconds:
        return False
    pace.take()
    return True
