import time
from types import SimpleNamespace

import numpy as np

from listener.sources.inbox import MAX_BLOCKS, Inbox

FINE = SimpleNamespace(input_overflow=False)
OVERFLOW = SimpleNamespace(input_overflow=True)


def put(inbox: Inbox, value: float = 0.0, status: SimpleNamespace = FINE) -> None:
    inbox.put(np.full((4, 1), value, np.float32), 4, None, status)


def test_blocks_come_out_in_order_and_are_copies():
    inbox, pcm = Inbox(), np.zeros((4, 1), np.float32)
    inbox.put(pcm, 4, None, FINE)
    pcm[:] = 1.0
    put(inbox, 2.0)
    assert [block.pcm[0, 0] for block in inbox.take()] == [0.0, 2.0]
    assert inbox.take() == []


def test_an_overflow_of_the_device_is_counted_and_makes_a_hole():
    inbox = Inbox()
    put(inbox)
    put(inbox, status=OVERFLOW)
    assert [block.lost for block in inbox.take()] == [0, 1]
    assert inbox.overflows == 1


def test_what_does_not_fit_is_counted_and_told_with_the_next_block():
    inbox = Inbox()
    for _ in range(MAX_BLOCKS + 3):
        put(inbox)
    assert sum(block.lost for block in inbox.take()) == 0
    put(inbox)
    assert [block.lost for block in inbox.take()] == [3 * 4]
    assert inbox.overflows == 3


def test_waiting_ends_with_a_block_with_the_deadline_and_with_the_end():
    inbox = Inbox()
    assert not inbox.wait(time.monotonic() + 0.01)
    put(inbox)
    assert inbox.wait(time.monotonic() + 60)
    inbox.take()
    inbox.end()
    assert not inbox.wait(time.monotonic() + 60)
    inbox.take()
    assert not inbox.wait(time.monotonic() + 60)
