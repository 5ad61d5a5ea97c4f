"""Which message goes next, how fast, and what the queue keeps when the connection ends."""

from __future__ import annotations

from listener.mqtt.messages import OutboundMessage
from listener.mqtt.send_queue import QoS1Message, QueuedMessage, SendQueue


def state(topic: str, payload: bytes = b"ON") -> QueuedMessage:
    return QueuedMessage(topic, payload, retain=True)


def outbound(key: int, *, alone: bool = False) -> OutboundMessage:
    return OutboundMessage(1, key, "event", b"{}", alone)


def send(queue: SendQueue, count: int) -> list[QoS1Message]:
    """Up to `count` messages, which then wait for their acknowledgement."""
    items: list[QoS1Message] = []
    while queue.can_send and len(items) < count:
        items.append(queue.pop())
        queue.mark_sent(1000 + len(queue.in_flight), items[-1])
    return items


def test_answers_go_first_and_states_and_events_take_turns():
    queue = SendQueue()
    for number in range(3):
        queue.add(state(f"s{number}"), connected=True)
        queue.add_outbound(outbound(number))
    answer = QueuedMessage("answer", b"{}")
    queue.add(answer, connected=True)
    assert send(queue, 9) == [
        answer, state("s0"), outbound(0), state("s1"), outbound(1), state("s2"), outbound(2),
    ]  # fmt: skip


def test_no_more_is_in_flight_than_the_broker_allows():
    queue = SendQueue()
    queue.retained["status"] = b"online"
    queue.begin(3, "status")
    for number in range(9):
        queue.add(state(f"s{number}"), connected=True)
    assert len(send(queue, 9)) == 3


def test_while_a_message_goes_alone_nothing_else_is_in_flight():
    queue = SendQueue()
    queue.add(state("before"), connected=True)
    assert send(queue, 1) == [state("before")]
    queue.add_outbound(outbound(7, alone=True))
    queue.add(state("after"), connected=True)
    assert not queue.can_send
    queue.in_flight.clear()  # acknowledged
    assert send(queue, 9) == [outbound(7, alone=True)]
    assert queue.sent_alone is not None


def test_a_new_connection_publishes_the_status_first_and_the_newest_payload_of_each_topic():
    queue = SendQueue()
    for payload in (b"ON", b"OFF"):
        queue.add(state("s", payload), connected=False)
    queue.add(state("status", b"online"), connected=False)
    assert not queue.can_send
    assert queue.begin(None, "status") == state("status", b"online")
    assert send(queue, 9) == [state("s", b"OFF")]


def test_after_a_connection_answers_wait_again_and_the_outboxs_messages_are_gone():
    queue = SendQueue()
    answers = [QueuedMessage("answer", bytes([number])) for number in range(3)]
    for answer in answers:
        queue.add(answer, connected=True)
    queue.add_outbound(outbound(1))
    send(queue, 2)
    queue.end()
    assert send(queue, 9) == answers


def test_of_too_many_changes_only_the_newest_of_each_topic_is_kept():
    queue = SendQueue()
    for number in range(5000):
        queue.add(state("s", b"%d" % number), connected=True)
    left = []
    while queue.can_send:
        left.append(queue.pop())
    assert len(left) <= 1003
    assert left[-1] == state("s", b"4999")


def test_states_alone_go_faster_than_with_events():
    alone, together = SendQueue(), SendQueue()
    for number in range(521):  # all labels of YAMNet
        alone.add(state(f"s{number}"), connected=True)
        together.add(state(f"s{number}"), connected=True)
        together.add_outbound(outbound(number))
    assert sent_at_once(alone) == 521
    assert sent_at_once(together) < 300


def sent_at_once(queue: SendQueue) -> int:
    count = 0
    while queue.can_send and not queue.rate.wait_seconds:
        queue.rate.take()
        queue.pop()
        count += 1
    return count
