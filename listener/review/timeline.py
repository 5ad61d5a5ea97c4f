"""The newest events, those that the clips tell of from before the start among them."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Any

KEPT_EVENTS = 1000

EventItem = dict[str, Any]


class Timeline:
    """Events by id, from any thread; the end of one replaces its start, the oldest goes."""

    def __init__(self, items: Iterable[EventItem] = ()) -> None:
        self._lock = Lock()
        self._items: dict[str, EventItem] = {}
        for item in items:
            self.put(item)

    def put(self, item: EventItem) -> None:
        """An event that began or ended."""
        with self._lock:
            self._items[item["id"]] = item
            if len(self._items) > KEPT_EVENTS:
                del self._items[next(iter(self._items))]

    def newest(self, count: int) -> list[EventItem]:
        """The events that began last, the newest first."""
        with self._lock:
            items = list(self._items.values())
        return sorted(items, key=lambda item: -item["onset"])[:count]
