"""Requests for the last seconds of a source, answered by the inference thread between two batches."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from listener.detection.clip import ClipError


@dataclass(frozen=True, slots=True)
class _Snapshot:
    source: str
    seconds: float
    clip_id: Future[str] = field(default_factory=Future)


class Snapshots:
    """Any thread asks, one answers."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[_Snapshot] = SimpleQueue()

    def ask(self, source: str, seconds: float) -> Future[str]:
        """The id of the clip to be, or ClipError; one that is cancelled in time is never taken."""
        snapshot = _Snapshot(source, seconds)
        self._asked.put(snapshot)
        return snapshot.clip_id

    def answer(self, take: Callable[[str, float], str]) -> None:
        """Answer all that was asked; `take` gives a clip's id for source and seconds, or ClipError."""
        while (snapshot := self._next()) is not None:
            if not snapshot.clip_id.set_running_or_notify_cancel():
                continue  # refused meanwhile
            try:
                snapshot.clip_id.set_result(take(snapshot.source, snapshot.seconds))
            except ClipError as error:
                snapshot.clip_id.set_exception(error)

    def _next(self) -> _Snapshot | None:
        try:
            return self._asked.get_nowait()
        except Empty:
            return None
