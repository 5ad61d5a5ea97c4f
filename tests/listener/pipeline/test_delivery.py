"""Notices to one sink: in order, and bounded when it is slow."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from listener.detection.event import SoundEvent
from listener.health import Health
from listener.pipeline import delivery as module
from listener.pipeline.delivery import Delivery
from listener.sinks.sink import ClipNotice, EventNotice, Level, Notice, SourceStatus
from tests.doubles import DEADLINE_SECONDS, BrokenSink, GatedSink, ListSink
from tests.listener.clips.drafts import make_draft
from tests.listener.pipeline.stages import make_health

CAPACITY = module._CAPACITY


def level(number: int) -> Level:
    return Level("hall", -20.0, -10.0, float(number))


def event(number: int) -> EventNotice:
    onset = float(number)
    return EventNotice(
        SoundEvent(str(number), "hall", "dog", onset, None, 0.9, 0.9, -20.0, "b@1"), onset
    )


def deliver(*notices: Notice, sink: ListSink) -> Health:
    health = make_health()
    delivery = Delivery("list", sink, health)
    for notice in notices:
        delivery.put([notice])
    delivery.finish()
    delivery.run()
    return health


@contextmanager
def running(delivery: Delivery) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=delivery.run, daemon=True)  # daemon: a failed test ends, too
    thread.start()
    yield thread
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


def test_notices_arrive_in_order_and_then_the_sink_is_closed():
    sink = ListSink()
    notices: list[Notice] = [event(1), level(2), SourceStatus("hall", "online", 3.0), event(4)]
    health = deliver(*notices, sink=sink)
    assert sink.notices == notices
    assert sink.closed
    assert "sink:list" in health.heartbeats


def test_a_sink_gets_only_the_kinds_that_it_takes():
    sink = ListSink(accepts=(EventNotice,))
    deliver(event(1), level(2), event(3), sink=sink)
    assert sink.notices == [event(1), event(3)]


def test_full_it_drops_levels_counted_and_logged_once(caplog: pytest.LogCaptureFixture):
    sink, health = ListSink(), make_health()
    delivery = Delivery("list", sink, health)
    for number in range(CAPACITY + 3):
        delivery.put([level(number)])
    assert delivery.depth == CAPACITY
    assert health.sink_drops == {"list": 3}
    lines = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert lines == ["sink list: it is too slow, notices are dropped"]


def test_few_clips_wait_for_a_slow_disk():
    """They are large: memory bounds how many wait."""
    sink, health = ListSink(accepts=(ClipNotice,)), make_health()
    delivery = Delivery("clips", sink, health)
    for number in range(module._CLIP_CAPACITY + 2):
        delivery.put([ClipNotice(make_draft(number))])
    assert delivery.depth == module._CLIP_CAPACITY
    assert health.sink_drops == {"clips": 2}


def test_full_an_event_takes_the_place_of_the_oldest_level():
    sink, health = ListSink(), make_health()
    delivery = Delivery("list", sink, health)
    delivery.put([event(0)])
    for number in range(CAPACITY - 1):
        delivery.put([level(number)])
    delivery.put([event(1)])
    delivery.finish()
    delivery.run()
    assert (sink.notices[0], sink.notices[1], sink.notices[-1]) == (event(0), level(1), event(1))
    assert len(sink.notices) == CAPACITY
    assert health.sink_drops == {"list": 1}


def test_full_of_events_it_drops_the_oldest():
    sink, health = ListSink(), make_health()
    delivery = Delivery("list", sink, health)
    for number in range(CAPACITY + 1):
        delivery.put([event(number)])
    delivery.finish()
    delivery.run()
    assert (sink.notices[0], sink.notices[-1]) == (event(1), event(CAPACITY))
    assert health.sink_drops == {"list": 1}


def test_lossless_waits_for_the_sink():
    sink, health = GatedSink(), make_health()
    delivery = Delivery("list", sink, health, lossless=True)

    def fill() -> None:
        for number in range(CAPACITY + 100):
            delivery.put([level(number)])

    with running(delivery):
        filler = threading.Thread(target=fill)
        filler.start()
        sink.entered.wait(DEADLINE_SECONDS)
        sink.gate.set()
        filler.join(DEADLINE_SECONDS)
        delivery.finish()
    assert len(sink.notices) == CAPACITY + 100
    assert health.sink_drops == {"list": 0}


def test_a_sink_that_fails_loses_the_notice_and_gets_the_next(caplog: pytest.LogCaptureFixture):
    class Picky(ListSink):
        def handle(self, notice: Notice) -> None:
            if isinstance(notice, Level):
                raise OverflowError("a level too much")
            super().handle(notice)

        def close(self) -> None:
            super().close()
            raise OSError("cannot be flushed")

    sink = Picky()
    health = deliver(event(1), level(2), level(3), event(4), sink=sink)
    assert sink.notices == [event(1), event(4)]
    assert sink.closed
    assert health.faults == {"sink:list": 3}
    assert caplog.text.count("Traceback") == 1


def test_a_lossless_sink_that_fails_ends_with_its_error():
    """The control too: this is what every sink did."""
    delivery = Delivery("broken", BrokenSink(), make_health(), lossless=True)
    delivery.put([event(1)])
    with pytest.raises(RuntimeError, match="cannot handle"):
        delivery.run()


def test_who_may_not_wait_is_not_held_up_by_a_full_lossless_queue():
    """The main thread; nobody empties this queue."""
    delivery = Delivery("list", ListSink(), make_health(), lossless=True)
    for number in range(CAPACITY):
        delivery.put([level(number)])
    delivery.put([event(0)], may_wait=False)
    assert delivery.depth == CAPACITY + 1


def test_notices_handed_over_together_arrive_in_order_with_those_before_and_after():
    sink, health = ListSink(accepts=(EventNotice,)), make_health()
    delivery = Delivery("list", sink, health)
    handed: list[list[Notice]] = [[event(0), level(0), event(1)], [], [level(1)], [event(2)]]
    for notices in handed:
        delivery.put(notices)
    assert delivery.depth == 3
    delivery.finish()
    delivery.run()
    assert sink.notices == [event(0), event(1), event(2)]


def test_more_at_once_than_fit_drop_the_oldest_levels(
    caplog: pytest.LogCaptureFixture,
):
    sink, health = ListSink(), make_health()
    delivery = Delivery("list", sink, health)
    delivery.put([event(0), *(level(number) for number in range(CAPACITY + 2))])
    assert health.sink_drops == {"list": 3}
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1
    delivery.finish()
    delivery.run()
    assert (sink.notices[0], sink.notices[1], len(sink.notices)) == (event(0), level(3), CAPACITY)


def test_more_at_once_than_fit_wake_a_sink_that_sleeps(
    monkeypatch: pytest.MonkeyPatch,
):
    """At once, and not at its next heartbeat: until then the whole station would stand still."""
    monkeypatch.setattr(module, "_IDLE_SECONDS", 3 * DEADLINE_SECONDS)
    sink, health = ListSink(), make_health()
    delivery = Delivery("list", sink, health, lossless=True)
    many = [level(number) for number in range(1, 2 * CAPACITY)]
    filler = threading.Thread(target=delivery.put, args=(many,), daemon=True)
    with running(delivery):
        delivery.put([level(0)])
        sink.wait_for(lambda sink: len(sink.notices) == 1)
        filler.start()
        filler.join(DEADLINE_SECONDS)
        assert not filler.is_alive()
        delivery.finish()
    assert sink.notices == [level(number) for number in range(2 * CAPACITY)]
    assert health.sink_drops == {"list": 0}


def test_a_sink_that_fails_does_not_block_the_caller():
    """The pipeline sees the failure; until it ends, a lossless put must not wait for a dead thread."""
    delivery = Delivery("list", BrokenSink(), make_health(), lossless=True)
    delivery.put([event(0)])
    with pytest.raises(RuntimeError, match="cannot handle EventNotice"):
        delivery.run()

    def fill() -> None:
        for number in range(CAPACITY + 10):
            delivery.put([event(number)])

    filler = threading.Thread(target=fill, daemon=True)
    filler.start()
    filler.join(DEADLINE_SECONDS)
    assert not filler.is_alive()
