"""A source's thread: read, resample, cut, queue; and open again what was lost."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from listener.backoff import Backoff
from listener.config.sources import BackoffSettings
from listener.detection.audio import AudioChunk, Samples
from listener.detection.features import PatchStream, log_mel_patches
from listener.health import SourceHealth
from listener.pipeline.capture import STABLE_SECONDS, Capture, SourcePlan
from listener.pipeline.chunk_queue import ChunkQueue, Item, StreamEnd
from listener.sources.source import AudioSource, SourceError
from tests.doubles import ArraySource, Openings
from tests.listener.detection.waveforms import noise, silence, sine
from tests.listener.pipeline.stages import (
    HOP,
    PARAMS,
    SMALL_BACKOFF,
    WINDOW,
    make_health,
    patches_of,
)


class Waits(threading.Event):
    """A stop flag that records how long each wait for it should last, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        return self.is_set()


def run(
    opener: Callable[[], AudioSource],
    *,
    restarts: bool = True,
    lossless: bool = False,
    capacity: int = 100,
    stop: threading.Event | None = None,
    backoff: BackoffSettings = SMALL_BACKOFF,
    backoff_limit_seconds: float = math.inf,
) -> tuple[list[Item], SourceHealth]:
    """What a capture puts into its queue until it ends."""
    queue = ChunkQueue(["hall"], capacity, PARAMS)
    health = make_health("hall").sources["hall"]
    plan = SourcePlan("hall", opener, lossless, restarts, backoff_limit_seconds)
    Capture(plan, queue, health, backoff, stop or threading.Event()).run()
    return queue.get(1_000, 0.0, 0.0), health


def ends_of(items: list[Item]) -> list[tuple[str, float, str | None]]:
    return [(i.reason, i.at, i.detail) for i in items if isinstance(i, StreamEnd)]


def chunks_of(items: list[Item]) -> list[AudioChunk]:
    return [item for item in items if isinstance(item, AudioChunk)]


def test_a_source_becomes_chunks_of_a_patch_each_and_an_end():
    samples = noise(16_000)
    items, health = run(lambda: ArraySource(samples, captured_at=100.0))
    assert [len(chunk.samples) for chunk in chunks_of(items)] == [WINDOW, 16_000 - WINDOW]
    assert np.array_equal(np.concatenate([c.samples for c in chunks_of(items)]), samples)
    log_mels = np.array([patch.content for patch in patches_of(items)])
    assert np.abs(log_mels - log_mel_patches(samples, PARAMS)).max() < 1e-5
    assert [patch.captured_at for patch in patches_of(items)] == pytest.approx([100.0, 100.48])
    assert ends_of(items) == [("end_of_stream", 101.0, None)]
    assert (health.ended, health.failed, health.restarts) == (True, False, 0)


def test_another_rate_is_resampled():
    items, _ = run(lambda: ArraySource(sine(440, 1.0, 0.5, 48_000), sample_rate_hz=48_000))
    expected = log_mel_patches(sine(440, 1.0, 0.5), PARAMS)
    first = patches_of(items)[0]
    loudest_band = expected[0].mean(axis=0).argmax()
    assert first.content.mean(axis=0).argmax() == loudest_band
    assert first.level_dbfs == pytest.approx(-9.03, abs=0.05)
    assert ends_of(items)[0][1] == pytest.approx(1.0)


def test_it_reads_what_the_next_patch_lacks():
    source = ArraySource(noise(80_000))
    run(lambda: source)
    assert source.asked[:3] == [0.975, 0.48, 0.48]


def test_a_source_is_closed_at_its_end_and_when_it_is_lost():
    good, lost = ArraySource(noise(1_000)), ArraySource(noise(1_000), error="unplugged")
    run(lambda: good)
    run(lambda: lost, restarts=False)
    assert good.closed
    assert lost.closed


def test_what_was_read_before_a_loss_is_analysed():
    items, _ = run(lambda: ArraySource(noise(16_000), error="unplugged"), restarts=False)
    assert len(patches_of(items)) == 2
    assert ends_of(items) == [("source_lost", 1.0, "unplugged")]


def test_a_lost_source_is_opened_again_until_it_ends():
    opener = Openings(
        "no such device",
        ArraySource(noise(16_000), error="unplugged"),
        "no such device",
        ArraySource(noise(16_000), captured_at=50.0),
    )
    items, health = run(opener)
    reasons = [reason for reason, _, _ in ends_of(items)]
    assert reasons == ["source_lost", "source_lost", "source_lost", "end_of_stream"]
    assert len(patches_of(items)) == 4
    assert (opener.count, health.restarts, health.failed) == (4, 3, False)


def test_a_source_that_does_not_restart_has_failed():
    opener = Openings("no such file")
    items, health = run(opener, restarts=False)
    assert [(reason, detail) for reason, _, detail in ends_of(items)] == [
        ("source_lost", "no such file")
    ]
    assert (opener.count, health.ended, health.failed) == (1, True, True)


@dataclass
class Clock:
    """Monotonic seconds; they pass while a source plays, and in the waits for its next opening."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


class Playing(ArraySource):
    """Plays in real time by the test's clock, then is lost."""

    def __init__(self, clock: Clock, seconds: float, error: str = "it closed") -> None:
        super().__init__(silence(seconds), error=error)
        self._clock = clock

    def read(self, seconds: float) -> AudioChunk | None:
        chunk = super().read(seconds)
        self._clock.seconds += 0.0 if chunk is None else len(chunk.samples) / 16_000
        return chunk


class ClockedWaits(Waits):
    """A stop flag whose waits pass on the test's clock; it is set at `until`."""

    def __init__(self, clock: Clock, until: float = math.inf) -> None:
        super().__init__()
        self._clock, self._until = clock, until

    def wait(self, timeout: float | None = None) -> bool:
        super().wait(timeout)
        self._clock.seconds += timeout or 0.0
        if self._clock.seconds >= self._until:
            self.set()
        return self.is_set()


def run_by(clock: Clock, opener: Callable[[], AudioSource], waits: Waits) -> SourceHealth:
    """Run a capture by the test's clock; nobody takes its chunks, but they are few."""
    health = make_health("hall").sources["hall"]
    backoff = BackoffSettings(first_seconds=1.0, limit_seconds=3.0)
    Capture(
        SourcePlan("hall", opener), ChunkQueue(["hall"], 9), health, backoff, waits, clock
    ).run()
    return health


def test_waits_double_up_to_the_limit_and_start_over_once_it_was_stable():
    clock = Clock()
    waits = ClockedWaits(clock)
    failing = ["no such device"] * 4
    short, long = Playing(clock, STABLE_SECONDS - 2), Playing(clock, STABLE_SECONDS + 2)
    run_by(clock, Openings(*failing, short, long, ArraySource(noise(1))), waits)
    longest = [1.0, 2.0, 3.0, 3.0, 3.0, 1.0]
    assert len(waits.seconds) == len(longest)
    for seconds, limit in zip(waits.seconds, longest, strict=True):
        assert 0.5 * limit <= seconds <= limit


def test_one_that_plays_two_seconds_and_closes_is_opened_ever_more_rarely(
    caplog: pytest.LogCaptureFixture,
):
    """Three hours of it: two lines at the beginning, then one an hour."""
    clock, health = Clock(), make_health("hall").sources["hall"]
    waits = ClockedWaits(clock, until=3 * 3600.0 + 60)
    backoff = BackoffSettings(first_seconds=0.5, limit_seconds=30.0)
    plan = SourcePlan("hall", lambda: Playing(clock, 2.0))
    with caplog.at_level(logging.INFO):
        Capture(plan, ChunkQueue(["hall"], 9), health, backoff, waits, clock).run()
    assert len(waits.seconds) < 3 * 3600 / (2 + 15) + 10
    lines = [r.getMessage() for r in caplog.records if "lost" in r.getMessage()]
    assert lines[:2] == [
        "source hall: lost: it closed",
        "source hall: lost again, more is summed up: it closed",
    ]
    assert len(lines) == 2 + 3
    assert all("times in a row: it closed" in line for line in lines[2:])
    assert health.unstable


def test_a_wait_that_starts_over_with_each_patch_never_grows():
    """The control: as it was, the same source was opened twenty times as often."""
    backoff, clock, count = Backoff(0.5, 30.0), Clock(), 0
    while clock.seconds < 3 * 3600.0:
        clock.seconds += 2.0
        backoff.reset()
        clock.seconds += backoff.next_seconds()
        count += 1
    assert count > 3 * 3600 / (2 + 0.5) - 10


def test_a_stable_source_begins_a_new_episode(caplog: pytest.LogCaptureFixture):
    clock = Clock()
    openings = Openings(
        Playing(clock, 2.0), Playing(clock, 2.0), Playing(clock, 100.0), ArraySource(noise(1))
    )
    with caplog.at_level(logging.INFO):
        health = run_by(clock, openings, ClockedWaits(clock))
    lines = [r.getMessage() for r in caplog.records if "behind" not in r.getMessage()]
    assert lines == [
        "source hall: lost: it closed",
        "source hall: lost again, more is summed up: it closed",
        "source hall: stable again after 2 losses",
        "source hall: lost: it closed",
        "source hall: end of stream",
    ]
    assert not health.unstable


class Failing(ArraySource):
    """Fails as no source should: a bug, or a library's."""

    def __init__(self, error: Exception, samples: Samples) -> None:
        super().__init__(samples)
        self._fault = error

    def read(self, seconds: float) -> AudioChunk | None:
        chunk = super().read(seconds)
        if chunk is None:
            raise self._fault
        return chunk


FAULTS = (
    UnicodeDecodeError("utf-8", b"\xfc", 0, 1, "invalid start byte"),
    ValueError("expected another format"),
    AttributeError("no such attribute"),
    MemoryError(),
    ZeroDivisionError("division by zero"),
)


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_any_error_is_a_loss_counted_with_its_traceback_once_an_episode(
    error: Exception, caplog: pytest.LogCaptureFixture
):
    opener = Openings(*[Failing(error, noise(16_000))] * 3, ArraySource(noise(1)))
    items, health = run(opener)
    assert [reason for reason, _, _ in ends_of(items)] == [*["source_lost"] * 3, "end_of_stream"]
    assert len(patches_of(items[:-1])) >= 2  # what came before is analysed
    assert (health.faults, health.restarts, health.failed) == (3, 3, False)
    assert caplog.text.count("Traceback (most recent call last)") == 1
    assert f"lost: {type(error).__name__}" in caplog.text


def test_an_error_on_opening_closing_or_in_what_follows_is_a_loss():
    def fail() -> AudioSource:
        raise KeyError("opening")

    class NotClosing(ArraySource):
        def close(self) -> None:
            raise OSError("closing")

    class Odd(ArraySource):
        def read(self, seconds: float) -> AudioChunk | None:  # noqa: ARG002
            return replace(AudioChunk("hall", 0, 0.0, 16_000, noise(9)), samples=noise(9)[None])

    for opener in (fail, lambda: NotClosing(noise(9)), lambda: Odd(noise(9))):
        items, health = run(opener, restarts=False)
        assert [reason for reason, _, _ in ends_of(items)] == ["source_lost"]
        assert (health.faults, health.failed, health.ended) == (1, True, True)


def test_an_error_in_what_is_left_of_a_lost_stream_is_not_swallowed():
    """The source is lost in the usual way, and the rest of its audio cannot be handled."""

    class Odd(ArraySource):
        def read(self, seconds: float) -> AudioChunk | None:
            if self.asked:
                raise SourceError("unplugged")
            chunk = super().read(seconds)
            assert chunk is not None
            return replace(chunk, captured_at="noon")  # type: ignore[arg-type]

    items, health = run(lambda: Odd(noise(1_000)), restarts=False)
    ((reason, _, detail),) = [(i.reason, i.at, i.detail) for i in items if isinstance(i, StreamEnd)]
    assert reason == "source_lost"
    assert (health.faults, str(detail).split(":")[0]) == (1, "TypeError")


def test_an_unexpected_error_shows_no_address(caplog: pytest.LogCaptureFixture):
    error = RuntimeError("cannot open rtsp://me:s3cret pass@cam/live twice")
    items, _ = run(lambda: Failing(error, noise(9)), restarts=False)
    assert "rtsp://..." in caplog.text
    assert "s3cret" not in caplog.text
    assert "s3cret" not in str(ends_of(items))


def test_a_source_waits_no_longer_than_its_own_limit():
    waits = Waits()
    opener = Openings(*["no such device"] * 6, ArraySource(noise(1)))
    backoff = BackoffSettings(first_seconds=1.0, limit_seconds=30.0)
    run(opener, stop=waits, backoff=backoff, backoff_limit_seconds=2.5)
    for seconds, limit in zip(waits.seconds, [1.0, 2.0, 2.5, 2.5, 2.5, 2.5], strict=True):
        assert 0.5 * limit <= seconds <= limit


def test_no_two_sources_wait_for_the_same_time():
    """Sources of one camera, lost at the same moment, are not opened again at the same moment."""
    waits = Waits()
    for _ in range(20):
        opener = Openings("lost", ArraySource(noise(1)))
        run(opener, stop=waits, backoff=BackoffSettings(first_seconds=1.0))
    assert len({round(seconds, 3) for seconds in waits.seconds}) > 10


def test_a_loss_is_logged_once_an_episode(caplog: pytest.LogCaptureFixture):
    opener = Openings("no such device", "no such device", "no such device", ArraySource(noise(1)))
    run(opener)
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert warnings == ["source hall: lost: no such device"]


def test_stopped_it_ends_by_shutdown_and_opens_nothing_again():
    stop = threading.Event()

    class Stopping(ArraySource):
        def read(self, seconds: float):
            if len(self.asked) == 2:
                stop.set()
            return super().read(seconds)

    opener = Openings(Stopping(noise(80_000)), ArraySource(noise(80_000)))
    items, health = run(opener, stop=stop)
    reason, at, _ = ends_of(items)[0]
    assert reason == "shutdown"
    assert at == pytest.approx(0.975 + 2 * 0.48)
    assert (opener.count, health.restarts, health.ended) == (1, 0, True)


def test_stopped_in_a_wait_it_opens_nothing_again():
    stop = threading.Event()

    def fail() -> AudioSource:
        stop.set()
        return opener()

    opener = Openings("no such device", "no such device")
    _, health = run(fail, stop=stop)
    assert (opener.count, health.restarts) == (1, 0)


def test_samples_that_are_not_finite_are_silence_counted_and_logged_once(
    caplog: pytest.LogCaptureFixture,
):
    samples = noise(40_000)
    samples[[0, 5, 30_000]] = np.nan, np.inf, -np.inf
    items, health = run(lambda: ArraySource(samples))
    assert health.nonfinite_samples == 3
    silenced = samples.copy()
    silenced[[0, 5, 30_000]] = 0.0
    assert np.array_equal(np.concatenate([c.samples for c in chunks_of(items)]), silenced)
    lines = [r for r in caplog.records if "not finite" in r.getMessage()]
    assert len(lines) == 1


def test_a_hole_is_counted_and_no_patch_spans_it():
    class Holed(ArraySource):
        def read(self, seconds: float):
            if len(self.asked) == 2:
                self._start += 8_000
            return super().read(seconds)

    items, health = run(lambda: Holed(noise(80_000)))
    starts = [patch.start for patch in patches_of(items)]
    assert starts[:3] == [0, 7_680, 15_600 + 7_680 + 8_000]
    assert health.overflows == 1


def test_a_full_queue_drops_its_older_half_counted_and_logged_once(
    caplog: pytest.LogCaptureFixture,
):
    """The ninth of eleven chunks is one too many, and four go."""
    items, health = run(lambda: ArraySource(noise(80_000)), capacity=8)
    begin = WINDOW + 3 * HOP
    assert chunks_of(items)[0].start == begin
    assert [patch.start for patch in patches_of(items)] == [begin + HOP * k for k in range(5)]
    assert health.dropped == 4
    lines = [r.getMessage() for r in caplog.records if "dropped" in r.getMessage()]
    assert lines == ["source hall: analysis is 8 patches behind, 4 are dropped"]


def test_each_chunk_completes_a_patch_after_a_drop_too():
    """Else each later patch of the stream, which may last for months, would be half a second late."""
    items, _ = run(lambda: ArraySource(noise(80_000)), capacity=8)
    stream = PatchStream(PARAMS)
    begin, chunks = WINDOW + 3 * HOP, chunks_of(items)
    late = [c.end - p.start - WINDOW for c in chunks for p in stream.push(c)]
    assert late == [HOP - 240] * 3 + [
        0
    ]  # the ones that were queued at the drop, then the one after
    assert chunks[-2].end == begin + WINDOW + 3 * HOP


@pytest.mark.parametrize(("later", "count"), [(0.0, 1), (61.0, 2)])
def test_an_overload_is_logged_once_an_episode(
    later: float, count: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    queue = ChunkQueue(["hall"], 8)
    monotonic = time.monotonic

    class Relieved(ArraySource):
        def read(self, seconds: float):
            if len(self.asked) == 12:
                queue.get(100, 0.0, 0.0)
                monkeypatch.setattr(time, "monotonic", lambda: monotonic() + later)
            return super().read(seconds)

    plan = SourcePlan("hall", lambda: Relieved(noise(170_000)))
    health = make_health("hall").sources["hall"]
    Capture(plan, queue, health, SMALL_BACKOFF, threading.Event()).run()
    assert len([r for r in caplog.records if "dropped" in r.getMessage()]) == count
    assert health.dropped == 8


def test_its_thread_shows_that_it_is_alive():
    health = make_health("hall").sources["hall"]
    health.beaten_at = -1.0
    plan = SourcePlan("hall", lambda: ArraySource(noise(1_000)))
    Capture(plan, ChunkQueue(["hall"], 9), health, SMALL_BACKOFF, threading.Event()).run()
    assert health.beaten_at > 0.0
