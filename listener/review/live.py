"""The live view: a sink that makes lines of JSON for the page, while somebody watches."""

import base64
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, Literal

import numpy as np

from listener.detection import bundle, clip_files, features
from listener.detection.clip import ClipRecord
from listener.detection.event import SoundEvent
from listener.files import to_json
from listener.sinks.event_document import label_names
from listener.sinks.sink import BundleNotice, EventNotice, Notice, PatchNotice, SourceStatus

KEPT_EVENTS = 1000
MAX_WATCHERS = 8
WAITING_LINES = 256
_TOP_SCORES = 5


# Log-mel of YAMNet's front end lies between log(0.001), silence, and about 4, a full-scale tone.
_DARKEST, _BRIGHTEST = -6.9, 3.1


def clip_item(record: ClipRecord) -> dict[str, Any]:
    """A clip as in its sidecar, with the latest verdict as `verdict`."""
    item: dict[str, Any] = json.loads(clip_files.record_bytes(record))
    return item | {"verdict": item["verdicts"][-1] if item["verdicts"] else None}


def event_item(event: SoundEvent, clip: str | None) -> dict[str, Any]:
    """An event; `offset` is None while it lasts, times are Unix seconds."""
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


def pixels(log_mel: features.LogMel) -> str:
    """Log-mel (frames, bands) as base64 of one byte per value, 0 for silence, frame after frame."""
    shares = (log_mel - _DARKEST) / (_BRIGHTEST - _DARKEST)
    return base64.b64encode((np.clip(shares, 0.0, 1.0) * 255.0).astype(np.uint8)).decode()


def patch_item(notice: PatchNotice) -> dict[str, Any]:
    """A patch: level, the new log-mel as `pixels`, and the labels with the highest scores."""
    first = np.argsort(-notice.scores, kind="stable")[:_TOP_SCORES].tolist()
    return {
        "source": notice.source,
        "at": round(notice.at, 3),
        "level_dbfs": round(float(notice.patch.level_dbfs), 1),
        "log_mel": pixels(notice.new_frames),
        "top": [[notice.labels[n], round(float(notice.scores[n]), 3)] for n in first],
    }


EventItem = dict[str, Any]


class Timeline:
    """The newest events by id, for any thread; the end of an event replaces its start."""

    def __init__(self, items: Iterable[EventItem] = ()) -> None:
        self._lock = Lock()
        self._items: dict[str, EventItem] = {}
        for item in items:
            self.put(item)

    def put(self, item: EventItem) -> None:
        """Add an event that began or ended."""
        with self._lock:
            self._items[item["id"]] = item
            if len(self._items) > KEPT_EVENTS:
                del self._items[next(iter(self._items))]

    def newest(self, count: int) -> list[EventItem]:
        """The events that began last, newest first."""
        with self._lock:
            items = list(self._items.values())
        return sorted(items, key=lambda item: -item["onset"])[:count]


class Watcher:
    """The lines that one open page has not received yet, at most the newest WAITING_LINES.

    `wake` is called on the sink's thread when a line was added.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lines: deque[str] = deque(maxlen=WAITING_LINES)
        self.ended = False

    def put(self, line: str) -> None:
        """Add a line; the oldest is dropped if there are too many."""
        self._lines.append(line)
        self._wake()

    def end(self) -> None:
        """No line follows."""
        self.ended = True
        self._wake()

    def pop_lines(self) -> list[str]:
        """The lines since the last call."""
        return [self._lines.popleft() for _ in range(len(self._lines))]


class LiveView:
    """A sink for open pages; it takes patches only while somebody watches."""

    def __init__(
        self,
        sources: Iterable[str],
        manifest: bundle.Manifest,
        timeline: Timeline,
        groups: Sequence[bundle.Label] = (),
    ) -> None:
        self.sources: dict[str, str] = dict.fromkeys(sources, "offline")
        """Status of each source: online, silent, clipping or offline."""
        self.label_names = label_names(manifest, groups)
        """Display names of the labels in use and of the groups, by slug."""
        self.timeline = timeline
        """The newest events."""
        self._lock = Lock()
        self._watchers: list[Watcher] = []
        self._closed = False

    @property
    def accepts(self) -> tuple[type[Notice], ...]:
        """Patches only while somebody watches."""
        always = (BundleNotice, EventNotice, SourceStatus)
        return (*always, PatchNotice) if self._watchers else always

    @property
    def full(self) -> bool:
        """Whether the maximum number of pages is watching."""
        return len(self._watchers) >= MAX_WATCHERS

    @contextmanager
    def watching(self, wake: Callable[[], object]) -> Iterator[Watcher]:
        """Watch from now on."""
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
        """Update the state, and send it to the watchers."""
        match notice:
            case EventNotice():
                item = event_item(notice.event, notice.clip)
                self.timeline.put(item)
                self._show("event", item)
            case SourceStatus():
                self.sources[notice.source] = notice.status
                item = {"source": notice.source, "status": notice.status}
                self._show("status", item | {"bandwidth_hz": notice.bandwidth_hz})
            case BundleNotice():
                self.label_names = label_names(notice.manifest, notice.groups)
                self._show("bundle", {"labels": self.label_names})
            case PatchNotice():
                self._show("patch", patch_item(notice))

    def close(self) -> None:
        """The station stops: end all watchers."""
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
