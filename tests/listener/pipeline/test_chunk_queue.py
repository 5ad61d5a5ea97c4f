"""The queue between captures and inference: fair, bounded, and no waits without need."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.detection.audio import AudioChunk
from listener.pipeline.chunk_queue import ChunkQueue, Item, StreamEnd
from tests.doubles import DEADLINE_SECONDS
from tests.listener.pipeline.stages import chunk, number_of

FOREVER = 60.0  # seconds, longer than any test


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def end(at: float = 0.0) -> StreamEnd:
    return StreamEnd("hall", at, "end_of_stream")


def pop(queue: ChunkQueue, count: int = 100) -> list[str]:
    """Sources and numbers of the next items, e.g. "hall0"; ends are "hall!"."""
    return [name_of(item) for item in queue.get(count, 0.0, 0.0)]


def name_of(item: Item) -> str:
    number = number_of(item) if isinstance(item, AudioChunk) else "!"
    return f"{item.source}{number}"


def begin_put(pool: ThreadPoolExecutor, queue: ChunkQueue, item: Item) -> Future[int]:
    """A lossless put that has begun on another thread."""
    entered = threading.Event()

    def put() -> int:
        entered.set()
        return queue.put(item, lossless=True)

    future = pool.submit(put)
    entered.wait(DEADLINE_SECONDS)
    return future


def test_items_come_out_in_order():
    queue = ChunkQueue(["hall"], 10)
    for number in range(3):
        assert queue.put(chunk(number)) == 0
    queue.put(end())
    assert len(queue) == 4
    assert pop(queue) == ["hall0", "hall1", "hall2", "hall!"]
    assert len(queue) == 0


def test_sources_take_turns():
    queue = ChunkQueue(["hall", "barn"], 10)
    for number in range(3):
        queue.put(chunk(number))
    queue.put(chunk(0, "barn"))
    assert pop(queue) == ["hall0", "barn0", "hall1", "hall2"]


def test_turns_continue_where_the_last_batch_stopped():
    queue = ChunkQueue(["a", "b", "c"], 10)
    for source in "abc":
        for number in range(2):
            queue.put(chunk(number, source))
    assert pop(queue, 2) == ["a0", "b0"]
    assert pop(queue, 2) == ["c0", "a1"]
    assert pop(queue, 2) == ["b1", "c1"]


def test_full_it_drops_the_older_half_of_that_source_at_once():
    queue = ChunkQueue(["hall", "barn"], 4)
    queue.put(chunk(0, "barn"))
    assert [queue.put(chunk(number)) for number in range(7)] == [0, 0, 0, 0, 2, 0, 2]
    assert len(queue) == 4
    assert pop(queue) == ["barn0", "hall4", "hall5", "hall6"]
    assert len(queue) == 0


@given(st.integers(1, 9), st.lists(st.booleans(), max_size=60))
def test_it_is_bounded_and_loses_only_the_oldest(capacity: int, chunks: list[bool]):
    """True is a chunk, False the end of a stream, as of a source that is lost again and again."""
    queue = ChunkQueue(["hall"], capacity)
    items = [chunk(number) if is_chunk else end(number) for number, is_chunk in enumerate(chunks)]
    dropped = 0
    for item in items:
        newly = queue.put(item)
        assert newly in (0, (capacity + 1) // 2)
        dropped += newly
    left = queue.get(1_000, 0.0, 0.0)
    assert sum(isinstance(item, AudioChunk) for item in left) <= capacity
    oldest = [item for item in items if isinstance(item, AudioChunk)][:dropped]
    assert left == [item for item in items if not any(item is gone for gone in oldest)]
    assert len(queue) == 0


@pytest.mark.parametrize("capacity", [1, 2, 5, 31])
def test_the_chunks_that_stay_are_contiguous_up_to_the_newest(capacity: int):
    queue = ChunkQueue(["hall"], capacity)
    dropped = sum(queue.put(chunk(number)) for number in range(100))
    assert pop(queue) == [f"hall{number}" for number in range(dropped, 100)]


def test_the_end_of_a_stream_is_never_dropped():
    queue = ChunkQueue(["hall"], 2)
    queue.put(chunk(0))
    queue.put(end())
    for number in range(1, 5):
        queue.put(chunk(number))
    assert pop(queue) == ["hall!", "hall3", "hall4"]


def test_the_ends_of_streams_keep_their_order():
    queue = ChunkQueue(["hall"], 4)
    items: list[Item] = [chunk(0), end(1.0), end(2.0), *(chunk(number) for number in range(1, 5))]
    assert [queue.put(item) for item in items] == [0, 0, 0, 0, 0, 0, 2]
    left = queue.get(9, 0.0, 0.0)
    assert left[:2] == [end(1.0), end(2.0)]
    assert [name_of(item) for item in left[2:]] == ["hall2", "hall3", "hall4"]


def test_an_end_drops_nothing_from_a_full_queue():
    queue = ChunkQueue(["hall"], 2)
    for item in (chunk(0), chunk(1), end()):
        assert queue.put(item) == 0
    assert pop(queue) == ["hall0", "hall1", "hall!"]


def test_a_lossless_put_waits_for_space(threads: ThreadPoolExecutor):
    queue = ChunkQueue(["hall"], 1)
    queue.put(chunk(0))
    waiting = begin_put(threads, queue, chunk(1))
    assert not waiting.done()
    assert pop(queue, 1) == ["hall0"]
    assert waiting.result(DEADLINE_SECONDS) == 0
    assert pop(queue, 1) == ["hall1"]


def test_a_full_source_does_not_keep_another_waiting(threads: ThreadPoolExecutor):
    queue = ChunkQueue(["hall", "barn"], 1)
    queue.put(chunk(0))
    waiting = begin_put(threads, queue, chunk(1))
    assert begin_put(threads, queue, chunk(0, "barn")).result(DEADLINE_SECONDS) == 0
    queue.close()
    waiting.result(DEADLINE_SECONDS)


def test_closing_ends_a_wait_for_space(threads: ThreadPoolExecutor):
    queue = ChunkQueue(["hall"], 1)
    queue.put(chunk(0))
    waiting = begin_put(threads, queue, chunk(1))
    queue.close()
    waiting.result(DEADLINE_SECONDS)
    assert queue.closed


def test_closing_ends_a_wait_for_chunks(threads: ThreadPoolExecutor):
    queue = ChunkQueue(["hall"], 1)
    waiting = threads.submit(queue.get, 1, FOREVER, FOREVER)
    queue.close()
    assert waiting.result(DEADLINE_SECONDS) == []


def test_a_closed_queue_hands_out_the_rest_at_once():
    queue = ChunkQueue(["hall"], 10)
    queue.put(chunk(0))
    queue.close()
    assert [name_of(item) for item in queue.get(8, FOREVER, FOREVER)] == ["hall0"]
    assert queue.get(8, FOREVER, FOREVER) == []


def test_a_getter_gathers_until_the_batch_is_full(threads: ThreadPoolExecutor):
    queue = ChunkQueue(["hall", "barn", "yard", "loft"], 10)
    gathered = threads.submit(queue.get, 3, FOREVER, FOREVER)
    for source in ("hall", "barn", "yard"):
        queue.put(chunk(0, source))
    names = [name_of(item) for item in gathered.result(DEADLINE_SECONDS)]
    assert names == ["hall0", "barn0", "yard0"]


def test_a_getter_waits_for_no_more_than_one_of_each_source(threads: ThreadPoolExecutor):
    queue = ChunkQueue(["hall", "barn"], 10)
    gathered = threads.submit(queue.get, 16, FOREVER, FOREVER)
    queue.put(chunk(0, "hall"))
    queue.put(chunk(0, "barn"))
    names = [name_of(item) for item in gathered.result(DEADLINE_SECONDS)]
    assert names == ["hall0", "barn0"]


def test_a_getter_gathers_no_longer_than_it_may():
    queue = ChunkQueue(["hall", "barn"], 10)
    queue.put(chunk(0))
    assert [name_of(item) for item in queue.get(3, 0.01, FOREVER)] == ["hall0"]


def test_a_getter_returns_when_nothing_comes():
    assert ChunkQueue(["hall"], 10).get(3, FOREVER, 0.01) == []


def test_more_than_a_batch_stays_for_the_next():
    queue = ChunkQueue(["hall"], 10)
    for number in range(5):
        queue.put(chunk(number))
    assert [len(pop(queue, 2)) for _ in range(3)] == [2, 2, 1]


def test_many_producers_lose_nothing_and_keep_their_order(threads: ThreadPoolExecutor):
    sources = ["a", "b", "c"]
    queue = ChunkQueue(sources, 2)

    def produce(source: str) -> None:
        for number in range(200):
            queue.put(chunk(number, source), lossless=True)

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


def test_sources_share_no_lock(threads: ThreadPoolExecutor):
    """A source that is stopped in the middle of a put blocks no other."""
    queue = ChunkQueue(["hall", "barn"], 10)
    with queue._lanes["hall"].lock:
        stopped = threads.submit(queue.put, chunk(0, "hall"))
        assert threads.submit(queue.put, chunk(0, "barn")).result(DEADLINE_SECONDS) == 0
        assert pop(queue) == ["barn0"]
        assert not stopped.done()
    stopped.result(DEADLINE_SECONDS)
    assert pop(queue) == ["hall0"]


class Interrupted(threading.Event):
    """A flag that lets another thread run once, just before it is cleared."""

    def __init__(self, turn: Callable[[], object]) -> None:
        super().__init__()
        self.turn: Callable[[], object] | None = turn

    def clear(self) -> None:
        turn, self.turn = self.turn, None
        if turn is not None:
            turn()
        super().clear()


def test_an_item_that_comes_as_the_getter_begins_to_wait_is_seen(threads: ThreadPoolExecutor):
    queue = ChunkQueue(["hall"], 10)
    queue._arrived = Interrupted(lambda: queue.put(chunk(0)))
    [item] = threads.submit(queue.get, 1, FOREVER, FOREVER).result(DEADLINE_SECONDS)
    assert name_of(item) == "hall0"
    queue._arrived = Interrupted(queue.close)
    assert threads.submit(queue.get, 1, FOREVER, FOREVER).result(DEADLINE_SECONDS) == []
