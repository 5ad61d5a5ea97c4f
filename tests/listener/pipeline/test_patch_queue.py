"""The queue between captures and inference: fair, bounded, and never waiting for nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from listener.detection.features import Patch
from listener.pipeline.patch_queue import Item, PatchQueue, StreamEnd
from tests.doubles import DEADLINE_SECONDS
from tests.listener.pipeline.stages import patch

FOREVER = 60.0  # seconds, longer than any test


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def end(source: str = "hall") -> StreamEnd:
    return StreamEnd(source, 0.0, "end_of_stream")


def take(queue: PatchQueue, count: int = 100) -> list[str]:
    """Sources and numbers of what waits, e.g. "hall0"; ends are "hall!"."""
    return [name_of(item) for item in queue.get(count, 0.0, 0.0)]


def name_of(item: Item) -> str:
    number = str(item.start // 7_680) if isinstance(item, Patch) else "!"
    return item.source + number


def begin(pool: ThreadPoolExecutor, queue: PatchQueue, item: Item) -> Future[bool]:
    """A lossless put on another thread, which has begun."""
    entered = threading.Event()

    def put() -> bool:
        entered.set()
        return queue.put(item, lossless=True)

    future = pool.submit(put)
    entered.wait(DEADLINE_SECONDS)
    return future


def test_what_goes_in_comes_out_in_order():
    queue = PatchQueue(["hall"], 10)
    for number in range(3):
        assert queue.put(patch(number))
    queue.put(end())
    assert len(queue) == 4
    assert take(queue) == ["hall0", "hall1", "hall2", "hall!"]
    assert len(queue) == 0


def test_sources_take_turns():
    queue = PatchQueue(["hall", "barn"], 10)
    for number in range(3):
        queue.put(patch(number))
    queue.put(patch(0, "barn"))
    assert take(queue) == ["hall0", "barn0", "hall1", "hall2"]


def test_turns_go_on_where_the_last_batch_stopped():
    queue = PatchQueue(["a", "b", "c"], 10)
    for source in "abc":
        for number in range(2):
            queue.put(patch(number, source))
    assert take(queue, 2) == ["a0", "b0"]
    assert take(queue, 2) == ["c0", "a1"]
    assert take(queue, 2) == ["b1", "c1"]


def test_full_it_drops_the_oldest_patch_of_that_source():
    queue = PatchQueue(["hall", "barn"], 2)
    queue.put(patch(0, "barn"))
    assert [queue.put(patch(number)) for number in range(4)] == [True, True, False, False]
    assert len(queue) == 3
    assert take(queue) == ["barn0", "hall2", "hall3"]


def test_the_end_of_a_stream_is_never_dropped():
    queue = PatchQueue(["hall"], 2)
    queue.put(patch(0))
    queue.put(end())
    for number in range(1, 5):
        queue.put(patch(number))
    assert take(queue) == ["hall!", "hall4"]


def test_an_end_finds_room_when_it_is_full():
    queue = PatchQueue(["hall"], 2)
    for item in (patch(0), patch(1), end()):
        assert queue.put(item)
    assert take(queue) == ["hall0", "hall1", "hall!"]


def test_lossless_waits_for_room(threads: ThreadPoolExecutor):
    queue = PatchQueue(["hall"], 1)
    queue.put(patch(0))
    waiting = begin(threads, queue, patch(1))
    assert not waiting.done()
    assert take(queue, 1) == ["hall0"]
    assert waiting.result(DEADLINE_SECONDS)
    assert take(queue, 1) == ["hall1"]


def test_a_full_source_does_not_keep_another_waiting(threads: ThreadPoolExecutor):
    queue = PatchQueue(["hall", "barn"], 1)
    queue.put(patch(0))
    waiting = begin(threads, queue, patch(1))
    assert begin(threads, queue, patch(0, "barn")).result(DEADLINE_SECONDS)
    queue.close()
    waiting.result(DEADLINE_SECONDS)


def test_closing_releases_who_waits_for_room(threads: ThreadPoolExecutor):
    queue = PatchQueue(["hall"], 1)
    queue.put(patch(0))
    waiting = begin(threads, queue, patch(1))
    queue.close()
    waiting.result(DEADLINE_SECONDS)
    assert queue.closed


def test_closing_releases_who_waits_for_patches(threads: ThreadPoolExecutor):
    queue = PatchQueue(["hall"], 1)
    waiting = threads.submit(queue.get, 1, FOREVER, FOREVER)
    queue.close()
    assert waiting.result(DEADLINE_SECONDS) == []


def test_closed_it_hands_out_what_waits_at_once():
    queue = PatchQueue(["hall"], 10)
    queue.put(patch(0))
    queue.close()
    assert [name_of(item) for item in queue.get(8, FOREVER, FOREVER)] == ["hall0"]
    assert queue.get(8, FOREVER, FOREVER) == []


def test_a_getter_gathers_until_the_batch_is_full(threads: ThreadPoolExecutor):
    queue = PatchQueue(["hall"], 10)
    gathered = threads.submit(queue.get, 3, FOREVER, FOREVER)
    for number in range(3):
        queue.put(patch(number))
    names = [name_of(item) for item in gathered.result(DEADLINE_SECONDS)]
    assert names == ["hall0", "hall1", "hall2"]


def test_a_getter_gathers_no_longer_than_it_may():
    queue = PatchQueue(["hall"], 10)
    queue.put(patch(0))
    assert [name_of(item) for item in queue.get(3, 0.01, FOREVER)] == ["hall0"]


def test_a_getter_gives_up_when_nothing_comes():
    assert PatchQueue(["hall"], 10).get(3, FOREVER, 0.01) == []


def test_more_than_a_batch_stays_for_the_next():
    queue = PatchQueue(["hall"], 10)
    for number in range(5):
        queue.put(patch(number))
    assert [len(take(queue, 2)) for _ in range(3)] == [2, 2, 1]


def test_many_producers_lose_nothing_and_keep_their_order(threads: ThreadPoolExecutor):
    sources = ["a", "b", "c"]
    queue = PatchQueue(sources, 2)

    def produce(source: str) -> None:
        for number in range(200):
            queue.put(patch(number, source), lossless=True)

    producers = [threads.submit(produce, source) for source in sources]
    got: list[str] = []
    while len(got) < 600:
        items = queue.get(4, 0.01, DEADLINE_SECONDS)
        assert items
        got += [name_of(item) for item in items]
    for producer in producers:
        producer.result(DEADLINE_SECONDS)
    for source in sources:
        assert [name for name in got if name[0] == source] == [f"{source}{n}" for n in range(200)]
