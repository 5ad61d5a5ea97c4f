"""Every kind of hole, from a source at 44.1 kHz to its events: no event spans one, all are counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from listener.detection.audio import AudioChunk
from listener.pipeline.capture import SourcePlan
from listener.sinks.sink import EventNotice
from listener.sources.live import GapDetector, LiveBuffer
from listener.sources.portaudio import BlockQueue
from tests.doubles import ListSink
from tests.listener.detection.waveforms import noise
from tests.listener.pipeline.stages import make_pipeline

RATE = 44_100
BLOCK = RATE // 10
HOLE_SECONDS = 2.0


class Status:
    """PortAudio's status flags for its callback."""

    input_overflow = False


class LiveSource:
    """A microphone whose callbacks the test plays: five seconds, a hole, five seconds."""

    def __init__(self, hole: Callable[[LiveSource], None]) -> None:
        self.now, self.queue = 100.0, BlockQueue()
        self.live = LiveBuffer("hall", RATE, GapDetector(0.2, 1.0), unix_offset=lambda: 0.0)
        self._play()
        hole(self)
        self._play()

    def _play(self) -> None:
        for _ in range(50):
            self.now += 0.1
            self.live.append(noise(BLOCK), self.now)

    def read(self, seconds: float) -> AudioChunk | None:
        """What is there."""
        return self.live.pop(seconds) if self.live.seconds else None

    def close(self) -> None:
        """Nothing."""


def known(source: LiveSource) -> None:
    """The system reports how much it dropped."""
    source.live.skip(round(HOLE_SECONDS * RATE))
    source.now += HOLE_SECONDS


def found(source: LiveSource) -> None:
    """Nothing reports it: all later audio is late and stays late."""
    source.now += HOLE_SECONDS


def unread(source: LiveSource) -> None:
    """The queue was full: nobody read for so long."""
    blocks = round(HOLE_SECONDS / 0.1)
    while not source.queue.overflows:
        source.queue.put(np.zeros((1, 1), np.float32), 1, None, Status)
    for _ in range(blocks):
        source.queue.put(np.zeros((BLOCK, 1), np.float32), BLOCK, None, Status)
    source.queue.pop_all()
    source.queue.put(np.zeros((1, 1), np.float32), 1, None, Status)
    (block,) = source.queue.pop_all()
    source.live.skip(block.lost)
    source.now += block.lost / RATE


@pytest.mark.parametrize("hole", [known, found, unread])
def test_an_event_ends_before_a_hole_and_what_is_missing_is_counted(
    hole: Callable[[LiveSource], None],
):
    sink = ListSink()
    plan = SourcePlan("hall", lambda: LiveSource(hole), lossless=True, restarts=False)
    pipeline, health = make_pipeline([plan], {"list": sink})
    pipeline.run_to_end()
    ended = [n.event for n in ended_loud(sink)]
    first, last = ended
    assert first.reason == "gap"
    assert first.onset == pytest.approx(100.0, abs=0.1)
    assert last.onset - (first.offset or 0.0) == pytest.approx(HOLE_SECONDS, abs=0.05)
    assert health.sources["hall"].missing_samples == pytest.approx(HOLE_SECONDS * 16_000, abs=800)
    assert health.sources["hall"].overflows == 1


def ended_loud(sink: ListSink) -> list[EventNotice]:
    return [n for n in sink.events if n.event.label == "loud" and n.event.offset is not None]


def test_without_a_hole_there_is_one_event():
    """The negative control."""
    sink = ListSink()
    plan = SourcePlan("hall", lambda: LiveSource(lambda _: None), lossless=True, restarts=False)
    pipeline, health = make_pipeline([plan], {"list": sink})
    pipeline.run_to_end()
    assert [notice.event.reason for notice in ended_loud(sink)] == ["end_of_stream"]
    assert health.sources["hall"].missing_samples == 0
