"""What the station hears now: lines of JSON for everybody who looks on, made only while somebody does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, Literal

import numpy as np

from listener.detection.bundle import Label, Manifest
from listener.documents import to_json
from listener.review.documents import event_item, pixels
from listener.review.timeline import Timeline
from listener.sinks.event_document import label_names
from listener.sinks.sink import BundleNotice, EventNotice, Notice, PatchNotice, SourceStatus

MAX_WATCHERS = 8
WAITING_LINES = 256

_TOP_SCORES = 5


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
    def takes(self) -> tuple[type[Notice], ...]:
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
