"""An unexpected error is counted, logged once an episode with its traceback, and stops nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from listener.faults import CALM_SECONDS, SUMMARY_SECONDS, FaultBarrier, describe, trace_of


class Clock:
    """A clock that a test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def fail(barrier: FaultBarrier, error: BaseException) -> None:
    with barrier:
        raise error


def test_the_next_piece_of_work_goes_on():
    counts, done = Counter[str](), []
    barrier = FaultBarrier("sink:x", counts)
    for number in range(3):
        with barrier:
            done.append(10 // (number - 1))
    assert done == [-10, 10]
    assert counts == {"sink:x": 1}


def test_a_part_that_never_failed_counts_zero():
    counts = Counter[str]()
    FaultBarrier("sink:x", counts)
    assert dict(counts) == {"sink:x": 0}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_what_is_no_error_passes(error: BaseException):
    counts = Counter[str]()
    with pytest.raises(type(error)):
        fail(FaultBarrier("sink:x", counts), error)
    assert counts["sink:x"] == 0


def test_an_episode_has_one_traceback_and_a_summary_an_hour(caplog: pytest.LogCaptureFixture):
    clock, counts = Clock(), Counter[str]()
    barrier = FaultBarrier("sink:x", counts, clock)
    for _ in range(2 * 3600):
        clock.seconds += 1.0
        fail(barrier, ValueError("no"))
    assert caplog.text.count("Traceback") == 1
    assert [m.split(":")[0] for m in caplog.messages] == ["sink"] * 2
    assert caplog.messages[1] == f"sink:x: failed {SUMMARY_SECONDS:.0f} more times: ValueError: no"
    assert counts["sink:x"] == 7200
    clock.seconds += CALM_SECONDS + 1.0
    fail(barrier, ValueError("no"))
    assert caplog.text.count("Traceback") == 2


def test_without_a_barrier_the_first_error_ends_the_loop():
    """The control."""
    done: list[int] = []
    with pytest.raises(ZeroDivisionError):
        done.extend(10 // (number - 1) for number in range(3))
    assert done == [-10]


def test_no_address_is_shown():
    error = OSError("rtsp://me:s3cret@cam/live?key=t0ken: no\nhttp://a:b@c d e")
    assert describe(error) == "OSError: rtsp://..."
    shown = trace_of(error)
    assert shown == "OSError: rtsp://...\nhttp://..."
