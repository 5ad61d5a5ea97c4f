"""Work in a few threads, with a bound on what lies finished."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

THREADS = 2
_AHEAD = 2 * THREADS  # a whole clip each: more would only fill memory

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`work` of each item, in order; at most a few are begun before they are asked for.

    What `work` raises is raised here, and what is waiting then is not begun.
    """
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="clips")
    waiting: deque[Future[Result]] = deque()
    # the BLAS of numpy starts threads of its own for each small product, which then wait for each other:
    # the log-mel of ESC-10 took 31 to 44 s of CPU time with them, and takes 4 s without
    with threadpool_limits(limits=1, user_api="blas"):
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
