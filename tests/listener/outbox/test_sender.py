"""In order, in a window, again after a break; poison is found, and the innocent are not suspected."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.outbox.sender import DOUBTFUL_SECONDS, MAX_TRIES, SETTLE_SECONDS, WINDOW
from tests.listener.outbox.parts import Opener, OpenStore, make_sender, open_store, seqs


@pytest.fixture
def opened(open_store: Opener) -> OpenStore:
    found = open_store(None)
    found.put(*range(30))
    return found


def test_no_more_than_the_window_is_in_flight_and_all_is_in_order(opened: OpenStore):
    sender, carrier, _ = make_sender(opened)
    sender.work()
    assert carrier.keys == []  # there is no connection
    sender.connected(1, None)
    sender.work()
    assert carrier.keys == [*range(1, WINDOW + 1)]
    for seq in (2, 1, 3):
        sender.answered(seq, None)
    sender.work()
    assert carrier.keys == [*range(1, WINDOW + 4)]
    assert {parcel.connection for parcel in carrier.parcels} == {1}


def test_after_a_break_it_begins_at_the_oldest_without_an_answer_and_with_one_at_a_time(
    opened: OpenStore,
):
    sender, carrier, clock = make_sender(opened)
    sender.connected(1, None)
    sender.work()
    for seq in (1, 2, 4):
        sender.answered(seq, None)
    clock.now += DOUBTFUL_SECONDS + 0.1
    sender.lost(suspect=False)
    sender.connected(2, None)
    carrier.parcels.clear()
    for seq in (3, 5, 6, 7, 8, 9, 10, 11, 12, 13):
        sender.work()
        assert carrier.keys[-1] == seq
        assert carrier.parcels[-1].alone
        sender.answered(seq, None)
    sender.work()
    assert carrier.keys[-WINDOW:] == [*range(14, 24)]
    assert not carrier.parcels[-1].alone


def test_what_was_acknowledged_just_before_a_break_goes_again(opened: OpenStore):
    """A broker that is killed may not have written it."""
    sender, carrier, clock = make_sender(opened)
    sender.connected(1, None)
    sender.work()
    sender.answered(1, None)
    clock.now += DOUBTFUL_SECONDS + 0.1
    sender.answered(2, None)
    sender.answered(3, "not authorized")  # a broker does not forget that
    sender.lost(suspect=False)
    assert opened.store.waiting == 28  # of 30, without the first and the dead letter
    sender.connected(2, None)
    carrier.parcels.clear()
    for seq in (2, 4, 5):
        sender.work()
        assert carrier.keys[-1] == seq
        sender.answered(seq, None)
    assert opened.store.waiting == 25


def test_a_message_that_breaks_five_connections_alone_is_put_aside(opened: OpenStore):
    sender, carrier, clock = make_sender(opened)
    sender.connected(1, None)
    sender.work()
    sender.lost(suspect=False)  # ten were in flight: nobody is suspected
    for number in range(MAX_TRIES):
        sender.connected(2 + number, None)
        sender.work()
        clock.now += SETTLE_SECONDS
        sender.work()
        assert carrier.keys[-1] == 1
        sender.lost(suspect=True)
    assert opened.health.quarantined == 1
    sender.connected(9, None)
    sender.work()
    assert carrier.keys[-1] == 2
    (row,) = opened.store.first("quarantined", 0, 10)
    assert (row.seq, row.reason) == (1, "broke 5 connections, alone on each")


def test_a_suspect_waits_until_the_connection_has_stood_without_it(opened: OpenStore):
    sender, carrier, clock = make_sender(opened)
    sender.lost(suspect=False)
    sender.connected(1, None)
    sender.work()
    sender.lost(suspect=True)
    sender.connected(2, None)
    carrier.parcels.clear()
    sender.work()
    assert carrier.keys == []
    sender.lost(suspect=False)  # the network cuts by itself: not the message's doing
    sender.connected(3, None)
    clock.now += SETTLE_SECONDS
    sender.work()
    assert carrier.keys == [1]
    assert opened.store.first("waiting", 0, 1)[0].tries == 1


def test_what_the_broker_refuses_is_a_dead_letter_with_its_reason(opened: OpenStore):
    sender, _, _ = make_sender(opened)
    sender.connected(1, None)
    sender.work()
    sender.answered(1, "Not authorized")
    (row,) = opened.store.first("dead", 0, 10)
    assert (row.seq, row.reason) == (1, "refused by the broker: Not authorized")
    assert opened.health.dead == 1


def test_what_is_too_large_for_the_broker_is_not_tried(opened: OpenStore):
    sender, carrier, _ = make_sender(opened)
    opened.store.put("earshot/farm/hall/event", {"id": "x" * 2000})
    opened.put(32)
    for row in opened.store.first("waiting", 0, 30):
        opened.store.settle(row, "done")
    sender.connected(1, 1024)
    sender.work()
    assert carrier.keys == [32]
    assert "the broker takes 1024" in str(opened.store.first("dead", 0, 1)[0].reason)


def test_what_is_asked_for_again_comes_after_what_is_new(opened: OpenStore):
    sender, carrier, _ = make_sender(opened)
    for row in opened.waiting():
        opened.store.settle(row, "done")
    assert opened.store.ask_again(3, 5) == 3
    opened.put(30)
    sender.connected(1, None)
    sender.work()
    assert carrier.keys == [31, 3, 4, 5]
    for seq in (31, 3, 4, 5):
        sender.answered(seq, None)
    assert opened.store.first("again", 0, 10) == []
    assert seqs(opened.store.first("done", 0, 100)) == [*range(1, 32)]


ACTIONS = st.lists(
    st.one_of(
        st.just("put"),
        st.just("unsaved"),
        st.just("deliver"),
        st.just("answer"),
        st.just("cut"),
        st.just("crash"),
    ),
    max_size=60,
)


class World:
    """A store on a disk, a sender, and a broker that got a prefix of what was sent on each connection."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "outbox.db"
        self.received: list[int] = []
        self.saved: list[int] = []
        self.number = self.connection = 0
        self.begin()

    def begin(self) -> None:
        self.opened = open_store(self.path)
        self.sender, self.carrier, _ = make_sender(self.opened)
        self.connect()

    def connect(self) -> None:
        self.connection += 1
        self.carrier.parcels.clear()
        self.delivered = self.answered = 0
        self.sender.connected(self.connection, None)

    def do(self, action: str) -> None:
        getattr(self, action)()
        self.sender.work()

    def put(self) -> None:
        self.unsaved()
        assert self.opened.store.save()
        self.saved = seqs(self.opened.waiting()) + self.received

    def unsaved(self) -> None:
        self.opened.put(2 * self.number + 1)  # ends only: nothing is left open
        self.number += 1

    def deliver(self) -> None:
        if self.delivered < len(self.carrier.parcels):
            self.received.append(self.carrier.keys[self.delivered])
            self.delivered += 1

    def answer(self) -> None:
        if self.answered < self.delivered:
            self.sender.answered(self.carrier.keys[self.answered], None)
            self.answered += 1

    def cut(self) -> None:
        self.sender.lost(suspect=False)
        self.connect()

    def crash(self) -> None:
        self.opened.crash()
        self.begin()

    def drain(self) -> None:
        self.opened.store.save()
        while self.opened.store.waiting:
            for action in ("deliver", "answer"):
                self.do(action)


@settings(max_examples=60, deadline=None)
@given(ACTIONS)
def test_any_order_of_puts_answers_cuts_and_crashes_keeps_order_and_loses_nothing(
    actions: list[str],
):
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        for action in actions:
            world.do(action)
        world.drain()
        world.opened.crash()
    first = list(dict.fromkeys(world.received))
    assert set(world.saved) <= set(first)
    assert first == sorted(first)
