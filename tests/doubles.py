"""Stand-ins at the protocols: sources, engines and sinks that do what a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, Queue

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import AudioChunk, Samples
from listener.sinks.sink import EventNotice, Level, Notice, SourceStatus
from listener.sources.source import AudioSource, SourceError

DEADLINE_SECONDS = 20.0
LABELS = ("loud", "quiet")  # what LoudnessEngine hears

Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]


class ArraySource:
    """Gives an array at once, then ends, or is lost with `error`."""

    def __init__(
        self,
        samples: Samples,
        *,
        name: str = "hall",
        sample_rate_hz: int = 16_000,
        start: int = 0,
        captured_at: float = 0.0,
        error: str | None = None,
    ) -> None:
        self.asked: list[float] = []
        self.closed = False
        self._samples, self._rate_hz = samples, sample_rate_hz
        self._name, self._start, self._captured_at = name, start, captured_at
        self._error = error
        self._given = 0

    def read(self, seconds: float) -> AudioChunk | None:
        """The next part of the array."""
        self.asked.append(seconds)
        begin = self._given
        self._given = min(len(self._samples), begin + max(1, round(seconds * self._rate_hz)))
        if begin == self._given:
            if self._error is not None:
                raise SourceError(self._error)
            return None
        return AudioChunk(
            self._name,
            self._start + begin,
            self._captured_at + begin / self._rate_hz,
            self._rate_hz,
            self._samples[begin : self._given],
        )

    def close(self) -> None:
        """Note it."""
        self.closed = True


class FedSource:
    """Gives the samples that the test feeds, and is silent between; goes on until it is closed."""

    def __init__(self, name: str = "hall", sample_rate_hz: int = 16_000) -> None:
        self.closed = False
        self._name, self._rate_hz = name, sample_rate_hz
        self._fed: Queue[Samples | SourceError | None] = Queue()
        self._start = 0

    def feed(self, samples: Samples) -> None:
        """These come next."""
        self._fed.put(samples)

    def lose(self, error: str) -> None:
        """Then the source is lost."""
        self._fed.put(SourceError(error))

    def end(self) -> None:
        """Then the source ends."""
        self._fed.put(None)

    def read(self, seconds: float) -> AudioChunk | None:  # noqa: ARG002 - the test decides
        """What was fed, or an empty chunk after a short wait."""
        try:
            item = self._fed.get(timeout=0.05)
        except Empty:
            item = np.empty(0, np.float32)
        if isinstance(item, SourceError):
            raise item
        return None if item is None else self._chunk(item)

    def _chunk(self, samples: Samples) -> AudioChunk:
        start, self._start = self._start, self._start + len(samples)
        return AudioChunk(self._name, start, start / self._rate_hz, self._rate_hz, samples)

    def close(self) -> None:
        """Note it."""
        self.closed = True


class HangingSource:
    """Reads for ever, as a network stream can; `release` is for the end of the test."""

    def __init__(self) -> None:
        self.reading = threading.Event()
        self._released = threading.Event()

    def read(self, seconds: float) -> AudioChunk | None:  # noqa: ARG002
        """Hang."""
        self.reading.set()
        self._released.wait()
        return None

    def release(self) -> None:
        """Hang no more."""
        self._released.set()

    def close(self) -> None:
        """Nothing."""


class Openings:
    """What opening a source gives, time after time; then it fails."""

    def __init__(self, *outcomes: AudioSource | str) -> None:
        self.count = 0
        self._outcomes = list(outcomes)

    def __call__(self) -> AudioSource:
        """Open once more; a text is the error of a failure."""
        self.count += 1
        outcome = self._outcomes.pop(0) if self._outcomes else "there is no more"
        if isinstance(outcome, str):
            raise SourceError(outcome)
        return outcome


class LoudnessEngine:
    """Scores (B, 2): `loud` is 0 for silence and 1 for noise at -20 dBFS; `quiet` is 1 less it.

    The embedding is the mean of the log-mel, (B, 1).
    """

    first_frame = 0  # what is before it is not heard

    def __init__(self) -> None:
        self.batches: list[int] = []

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """The mean log-mel is -6.9 in silence and about 1 in that noise."""
        self.batches.append(len(patches))
        mean = patches[:, self.first_frame :].mean(axis=(1, 2), dtype=np.float32)
        loud = np.clip((mean + 5.0) / 5.0, 0.0, 1.0)
        return np.stack([loud, 1.0 - loud], axis=1), mean[:, None]


class NewestEngine(LoudnessEngine):
    """Hears only what a patch has that the one before had not: chunk k decides on patch k."""

    first_frame = 48


class NanEngine(LoudnessEngine):
    """Gives scores that are no numbers from the batch `broken_from` on."""

    def __init__(self, broken_from: int = 0) -> None:
        super().__init__()
        self._broken_from = broken_from

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """NaN, in time."""
        scores, embeddings = super().infer(patches)
        return (scores if len(self.batches) <= self._broken_from else scores * np.nan), embeddings


class GatedEngine(LoudnessEngine):
    """Computes nothing until `gate` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.gate = threading.Event()

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """Wait, then compute."""
        self.entered.set()
        self.gate.wait(DEADLINE_SECONDS)
        return super().infer(patches)


@dataclass
class ListSink:
    """Keeps what it is given, and lets a test wait for it."""

    accepts: tuple[type[Notice], ...] = (EventNotice, Level, SourceStatus)
    notices: list[Notice] = field(default_factory=list)
    closed: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def handle(self, notice: Notice) -> None:
        """Keep it."""
        with self._changed:
            self.notices.append(notice)
            self._changed.notify_all()

    def close(self) -> None:
        """Note it."""
        self.closed = True

    @property
    def events(self) -> list[EventNotice]:
        """The events among the notices."""
        return [notice for notice in self.notices if isinstance(notice, EventNotice)]

    @property
    def levels(self) -> list[Level]:
        """The levels among the notices."""
        return [notice for notice in self.notices if isinstance(notice, Level)]

    @property
    def statuses(self) -> list[tuple[str, str]]:
        """Source and status, in order."""
        found = [notice for notice in self.notices if isinstance(notice, SourceStatus)]
        return [(notice.source, notice.status) for notice in found]

    def wait_for(self, condition: Callable[[ListSink], bool]) -> None:
        """Wait until the notices meet a condition.

        Raises:
            AssertionError: they do not within DEADLINE_SECONDS.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), DEADLINE_SECONDS):
                raise AssertionError(f"waited in vain, the notices are {self.notices}")


class GatedSink(ListSink):
    """Takes nothing until `gate` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.gate = threading.Event()

    def handle(self, notice: Notice) -> None:
        """Wait, then keep it."""
        self.entered.set()
        self.gate.wait(DEADLINE_SECONDS)
        super().handle(notice)


class BrokenSink(ListSink):
    """Fails at the first notice, as a bug would."""

    def handle(self, notice: Notice) -> None:
        """Fail."""
        raise RuntimeError(f"cannot handle {type(notice).__name__}")


def spans(sink: ListSink, label: str = "loud") -> NDArray[np.float64]:
    """Onset and offset of the ended events of a label, in order: (n, 2)."""
    events = [notice.event for notice in sink.events if notice.event.label == label]
    found = [(event.onset, event.offset) for event in events if event.offset is not None]
    return np.array(found, np.float64).reshape(-1, 2)
