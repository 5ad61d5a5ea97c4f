import threading
from itertools import pairwise

import numpy as np
import pytest

from listener.sources.clock import HoleFinder
from listener.sources.intake import LEAD_SECONDS, Intake
from listener.sources.live import LiveBuffer
from listener.sources.source import SourceError

RATE = 1000


def make_intake() -> Intake:
    return Intake(LiveBuffer("s", RATE, HoleFinder(10.0, 10.0)))


def test_an_opening_burst_is_taken_whole_and_its_times_are_one_line():
    intake, blocks = make_intake(), iter(range(8))

    def receive(_deadline):
        if next(blocks, None) is None:
            return False
        intake.push(np.ones(RATE, np.float32), RATE)
        return True

    chunks = [chunk for _ in range(8) if (chunk := intake.read(1.0, receive))]
    assert [len(chunk.samples) for chunk in chunks] == [RATE] * 8
    for before, after in pairwise(chunks):
        assert abs(after.captured_at - before.ended_at) < 0.05
    assert next(blocks, None) is None


def test_a_recording_is_not_swallowed_beyond_the_lead():
    intake, received = make_intake(), []

    def receive(_deadline):
        received.append(1)
        intake.push(np.ones(RATE, np.float32), RATE)
        return True

    intake.read(0.5, receive)
    assert len(received) == LEAD_SECONDS + 1


def test_an_idle_source_gives_an_empty_chunk():
    chunk = make_intake().read(0.5, lambda _deadline: False)
    assert chunk is not None
    assert len(chunk.samples) == 0


def test_close_ends_a_wait_for_the_speed_of_time():
    intake = make_intake()

    def receive(_deadline):
        intake.push(np.ones(60 * RATE, np.float32), RATE)  # a minute ahead
        return True

    intake.read(60.0, receive)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(intake.read(1.0, receive)))
    thread.start()
    intake.close()
    thread.join(10)
    assert answers == [None]


def test_a_loss_comes_after_what_was_heard_before_it():
    intake, blocks = make_intake(), iter(range(3))

    def receive(_deadline):
        if next(blocks, None) is None:
            raise SourceError("cut")
        intake.push(np.ones(RATE, np.float32), RATE)
        return True

    chunks = [chunk for _ in range(3) if (chunk := intake.read(1.0, receive))]
    assert [chunk.end for chunk in chunks] == [RATE, 2 * RATE, 3 * RATE]
    for _ in range(2):
        with pytest.raises(SourceError, match="cut"):
            intake.read(1.0, receive)
