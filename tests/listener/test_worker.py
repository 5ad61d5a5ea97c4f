"""A thread for work that waits: calls in order, parts in between, and a failure stops neither."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from listener.health import Health
from listener.worker import Periodic, Rounds, WorkThread

DEADLINE_SECONDS = 20.0


class Part:
    """Counts its ticks, or fails at each."""

    def __init__(self, error: Exception | None = None) -> None:
        self.ticks = 0
        self.ticked = threading.Event()
        self._error = error

    def tick(self) -> None:
        self.ticks += 1
        self.ticked.set()
        if self._error is not None:
            raise self._error


@contextmanager
def running(parts: Mapping[str, Periodic], health: Health | None = None) -> Iterator[WorkThread]:
    thread = WorkThread("work", health or Health((), "doubles@1"), parts)
    thread.start()
    try:
        yield thread
    finally:
        thread.close()


def test_a_part_that_fails_does_not_stop_the_others():
    health, good = Health((), "doubles@1"), Part()
    rounds = Rounds({"bad": Part(ValueError("a bug")), "good": good}, health)
    rounds.tick()
    rounds.tick()
    assert good.ticks == 2
    assert health.faults == {"bad": 2, "good": 0}


def test_calls_run_in_order_and_give_their_results():
    order: list[int] = []
    with running({}) as thread:
        futures = [thread.submit(lambda n=n: order.append(n) or n) for n in range(5)]  # type: ignore[misc,func-returns-value]
        assert [future.result(DEADLINE_SECONDS) for future in futures] == [0, 1, 2, 3, 4]
    assert order == [0, 1, 2, 3, 4]


def test_the_error_of_a_call_belongs_to_its_caller():
    health = Health((), "doubles@1")
    with running({}, health) as thread:
        with pytest.raises(ZeroDivisionError):
            thread.submit(lambda: 1 / 0).result(DEADLINE_SECONDS)
        assert thread.submit(lambda: 1).result(DEADLINE_SECONDS) == 1
    assert health.faults["work"] == 0


def test_a_call_that_is_cancelled_in_time_has_no_effect():
    gate, done = threading.Event(), []
    with running({}) as thread:
        thread.submit(lambda: gate.wait(DEADLINE_SECONDS))
        cancelled = thread.submit(lambda: done.append("cancelled"))
        last = thread.submit(lambda: done.append("last"))
        assert cancelled.cancel()
        gate.set()
        last.result(DEADLINE_SECONDS)
    assert done == ["last"]


def test_its_parts_tick_by_themselves_and_when_it_is_woken():
    part = Part()
    with running({"part": part}) as thread:
        assert part.ticked.wait(DEADLINE_SECONDS)
        part.ticked.clear()
        thread.wake()
        assert part.ticked.wait(DEADLINE_SECONDS)


def test_it_shows_that_it_is_alive_and_closes_even_if_it_never_started():
    health = Health((), "doubles@1")
    with running({}, health) as thread:
        thread.submit(lambda: None).result(DEADLINE_SECONDS)
        assert "work" in health.heartbeats
    WorkThread("idle", health, {}).close()
