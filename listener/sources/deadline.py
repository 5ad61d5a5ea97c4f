"""Calls into libraries that may never come back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from listener.sources.source import SourceError

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T], discard: Callable[[T], object]) -> T:
    """What `call` gives, run on a thread of its own; a result that comes too late is discarded.

    Raises:
        SourceError: raised by `call`.
        TimeoutError: it took longer than `seconds`.
    """
    future: Future[T] = Future()
    arguments = (future, call, discard)
    threading.Thread(target=_run, args=arguments, name="deadline", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.cancel():
            raise
        return future.result()  # it came just now


def _run(future: Future[T], call: Callable[[], T], discard: Callable[[T], object]) -> None:
    try:
        result = call()
    except SourceError as error:
        if future.set_running_or_notify_cancel():
            future.set_exception(error)
        return
    if future.set_running_or_notify_cancel():
        future.set_result(result)
    else:
        discard(result)
