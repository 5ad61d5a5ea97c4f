"""Messages are sent in order, in a window, again after a break; only poison is quarantined."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.outbox.sender import DOUBTFUL_SECONDS, MAX_TRIES, SETTLE_SECONDS, WINDOW
from tests.listener.outbox.doubles import Opener, OpenStore, make_sender, open_store, seqs


@pytest.fixture
def opened(open_store: Opener) -> OpenStore:
    found = open_store(None)
    found.put(*range(30))
    return found


def test_no_more_than_the_window_is_in_flight_and_all_is_in_order(opened: OpenStore):
    sender, transport, _ = make_sender(opened)
    sender.send_due()
    assert transport.keys == []  # there is no connection
    sender.connected(1, None)
    sender.send_due()
    assert transport.keys == [*range(1, WINDOW + 1)]
    for seq in (2, 1, 3):
        sender.answered(seq, None)
    sender.send_due()
    assert transport.keys == [*range(1, WINDOW + 4)]
    assert {message.connection for message in transport.messages} == {1}


def test_after_a_break_it_starts_at_the_oldest_unanswered_message_and_sends_one_at_a_time(
    opened: OpenStore,
):
    sender, transport, clock = make_sender(opened)
    sender.connected(1, None)
    sender.send_due()
    for seq in (1, 2, 4):
        sender.answered(seq, None)
    clock.now += DOUBTFUL_SECONDS + 0.1
    sender.lost(suspect=False)
    sender.connected(2, None)
    transport.messages.clear()
    for seq in (3, 5, 6, 7, 8, 9, 10, 11, 12, 13):
        sender.send_due()
        assert transport.keys[-1] == seq
        assert transport.messages[-1].alone
        sender.answered(seq, None)
    sender.send_due()
    assert transport.keys[-WINDOW:] == [*range(14, 24)]
    assert not transport.messages[-1].alone


def test_what_was_acknowledged_just_before_a_break_is_sent_again(opened: OpenStore):
    """A broker that is killed may not have written it."""
    sender, transport, clock = make_sender(opened)
    sender.connected(1, None)
    sender.send_due()
    sender.answered(1, None)
    clock.now += DOUBTFUL_SECONDS + 0.1
    sender.answered(2, None)
    sender.answered(3, "not authorized")  # a broker does not forget that
    sender.lost(suspect=False)
    assert opened.store.waiting == 28  # of 30, without the first and the dead letter
    sender.connected(2, None)
    transport.messages.clear()
    for seq in (2, 4, 5):
        sender.send_due()
        assert transport.keys[-1] == seq
        sender.answered(seq, None)
    assert opened.store.waiting == 25


def test_a_message_that_breaks_five_connections_alone_is_quarantined(opened: OpenStore):
    sender, transport, clock = make_sender(opened)
    sender.connected(1, None)
    sender.send_due()
    sender.lost(suspect=False)  # ten were in flight: none is suspected
    for number in range(MAX_TRIES):
        sender.connected(2 + number, None)
        sender.send_due()
        clock.now += SETTLE_SECONDS
        sender.send_due()
        assert transport.keys[-1] == 1
        sender.lost(suspect=True)
    assert opened.health.quarantined == 1
    sender.connected(9, None)
    sender.send_due()
    assert transport.keys[-1] == 2
    (row,) = opened.store.first("quarantined", 0, 10)
    assert (row.seq, row.reason) == (1, "broke 5 connections, alone on each")


def test_a_suspect_waits_until_the_connection_has_lasted_without_it(opened: OpenStore):
    sender, transport, clock = make_sender(opened)
    sender.lost(suspect=False)
    sender.connected(1, None)
    sender.send_due()
    sender.lost(suspect=True)
    sender.connected(2, None)
    transport.messages.clear()
    sender.send_due()
    assert transport.keys == []
    sender.lost(suspect=False)  # the network cuts by itself: not the message's doing
    sender.connected(3, None)
    clock.now += SETTLE_SECONDS
    sender.send_due()
    assert transport.keys == [1]
    assert opened.store.first("waiting", 0, 1)[0].tries == 1


def test_a_refused_message_is_a_dead_letter_with_its_reason(opened: OpenStore):
    sender, _, _ = make_sender(opened)
    sender.connected(1, None)
    sender.send_due()
    sender.answered(1, "Not authorized")
    (row,) = opened.store.first("dead", 0, 10)
    assert (row.seq, row.reason) == (1, "refused by the broker: Not authorized")
    assert opened.health.dead == 1


def test_a_message_that_is_too_large_for_the_broker_is_not_sent(opened: OpenStore):
    sender, transport, _ = make_sender(opened)
    opened.store.put("earshot/farm/hall/event", {"id": "x" * 2000})
    opened.put(32)
    for row in opened.store.first("waiting", 0, 30):
        opened.store.settle(row, "done")
    sender.connected(1, 1024)
    sender.send_due()
    assert transport.keys == [32]
    assert "the broker takes 1024" in str(opened.store.first("dead", 0, 1)[0].reason)


def test_replayed_messages_come_after_new_ones(opened: OpenStore):
    sender, transport, _ = make_sender(opened)
    for row in opened.waiting():
        opened.store.settle(row, "done")
    assert opened.store.replay(3, 5) == 3
    opened.put(30)
    sender.connected(1, None)
    sender.send_due()
    assert transport.keys == [31, 3, 4, 5]
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
    """A store on disk, a sender, and a broker that received a prefix of what each connection sent."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "outbox.db"
        self.received: list[int] = []
        self.saved: list[int] = []
        self.number = self.connection = 0
        self.begin()

    def begin(self) -> None:
        self.opened = open_store(self.path)
        self.sender, self.transport, _ = make_sender(self.opened)
        self.connect()

    def connect(self) -> None:
        self.connection += 1
        self.transport.messages.clear()
        self.delivered = self.answered = 0
        self.sender.connected(self.connection, None)

    def do(self, action: str) -> None:
        getattr(self, action)()
        self.sender.send_due()

    def put(self) -> None:
        self.unsaved()
        assert self.opened.store.save()
        self.saved = seqs(self.opened.waiting()) + self.received

    def unsaved(self) -> None:
        self.opened.put(2 * self.number + 1)  # ends only: nothing is left open
        self.number += 1

    def deliver(self) -> None:
        if self.delivered < len(self.transport.messages):
            self.received.append(self.transport.keys[self.delivered])
            self.delivered += 1

    def answer(self) -> None:
        if self.answered < self.delivered:
            self.sender.answered(self.transport.keys[self.answered], None)
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
