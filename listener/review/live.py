"""What the station hears now: lines of JSON for everybody who looks on, made only while somebody does."""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, Literal

import numpy as np

from listener.detection.bundle import Label, Manifest
from listener.detection.clip import ClipRecord
from listener.detection.clip_files import record_bytes
from listener.detection.event import SoundEvent
from listener.detection.features import LogMel
from listener.files import to_json
from listener.sinks.event_document import label_names
from listener.sinks.sink import BundleNotice, EventNotice, Notice, PatchNotice, SourceStatus

KEPT_EVENTS = 1000
MAX_WATCHERS = 8
WAITING_LINES = 256
_TOP_SCORES = 5


# What the page is told: values of the station as JSON has them.


# Log-mel of YAMNet's front end lies between log(0.001), silence, and about 4, a full-scale tone.
_DARKEST, _BRIGHTEST = -6.9, 3.1


def clip_item(record: ClipRecord) -> dict[str, Any]:
    """A clip as its sidecar has it; `verdict` is the latest one."""
    item: dict[str, Any] = json.loads(record_bytes(record))
    return item | {"verdict": item["verdicts"][-1] if item["verdicts"] else None}


def event_item(event: SoundEvent, clip: str | None) -> dict[str, Any]:
    """An event; `offset` is None while it lasts, times are unix seconds."""
    return {
        "id": event.id,
        "source": event.source,
        "label": event.label,
        "onset": round(float(event.onset), 3),
        "offset": None if event.offset is None else round(float(event.offset), 3),
        "peak_score": round(float(event.peak_score), 3),
        "reason": event.reason,
        "clip": clip,
    }


def pixels(log_mel: LogMel) -> str:
    """Log-mel (frames, bands) as base64 of a byte each, 0 for silence, frame after frame."""
    shares = (log_mel - _DARKEST) / (_BRIGHTEST - _DARKEST)
    return base64.b64encode((np.clip(shares, 0.0, 1.0) * 255.0).astype(np.uint8)).decode()


# The newest events, those that the clips tell of from before the start among them.


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


class Watcher:
    """Lines that one who looks on has not taken yet, the newest WAITING_LINES of them.

    `wake` is called on the sink's thread when there is something to take.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lines: deque[str] = deque(maxlen=WAITING_LINES)
        self.ended = False

    def put(self, line: str) -> None:
        """One more line; the oldest goes where there are too many."""
        self._lines.append(line)
        self._wake()

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self._wake()

    def take(self) -> list[str]:
        """What has come since the last time."""
        return [self._lines.popleft() for _ in range(len(self._lines))]


class LiveView:
    """A sink that shows what it gets. While nobody looks on it does not even ask for patches."""

    def __init__(
        self,
        sources: Iterable[str],
        manifest: Manifest,
        timeline: Timeline,
        groups: Sequence[Label] = (),
    ) -> None:
        self.sources: dict[str, str] = dict.fromkeys(sources, "offline")
        """What each source is: online, silent, clipping or offline."""
        self.label_names = label_names(manifest, groups)
        """The name for people of each label of the bundle at work and each group, by its slug."""
        self.timeline = timeline
        """Where events are remembered."""
        self._lock = Lock()
        self._watchers: list[Watcher] = []
        self._closed = False

    @property
    def accepts(self) -> tuple[type[Notice], ...]:
        """Patches only for somebody who looks on."""
        always = (BundleNotice, EventNotice, SourceStatus)
        return (*always, PatchNotice) if self._watchers else always

    @property
    def full(self) -> bool:
        """Whether as many look on as may."""
        return len(self._watchers) >= MAX_WATCHERS

    @contextmanager
    def watching(self, wake: Callable[[], object]) -> Iterator[Watcher]:
        """Lines from now on."""
        watcher = Watcher(wake)
        with self._lock:
            self._watchers.append(watcher)
            watcher.ended = self._closed
        try:
            yield watcher
        finally:
            with self._lock:
                self._watchers.remove(watcher)

    def handle(self, notice: Notice) -> None:
        """Remember what counts, and show it to who looks on."""
        match notice:
            case EventNotice():
                item = event_item(notice.event, notice.clip)
                self.timeline.put(item)
                self._show("event", item)
            case SourceStatus():
                self.sources[notice.source] = notice.status
                self._show("status", {"source": notice.source, "status": notice.status})
            case BundleNotice():
                self.label_names = label_names(notice.manifest, notice.groups)
                self._show("bundle", {"labels": self.label_names})
            case PatchNotice():
                self._show("patch", _patch_item(notice))

    def close(self) -> None:
        """The station stops: nobody looks on any more."""
        with self._lock:
            self._closed = True
            for watcher in self._watchers:
                watcher.end()

    def _show(self, kind: Literal["event", "status", "bundle", "patch"], item: Any) -> None:
        with self._lock:
            if self._watchers:
                line = to_json({"kind": kind} | item) + "\n"
                for watcher in self._watchers:
                    watcher.put(line)


def _patch_item(notice: PatchNotice) -> dict[str, Any]:
    first = np.argsort(-notice.scores, kind="stable")[:_TOP_SCORES].tolist()
    return {
        "source": notice.source,
        "at": round(notice.at, 3),
        "level_dbfs": round(float(notice.patch.level_dbfs), 1),
        "log_mel": pixels(notice.new_frames),
        "top": [[notice.labels[n], round(float(notice.scores[n]), 3)] for n in first],
    }
