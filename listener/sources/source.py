"""The interface of every source."""

import time
from typing import Protocol

from listener.detection import audio

_CLOCK_READINGS = 3
STEP_SECONDS = 0.5  # NTP slews a clock that is off by less, at most by 500 ppm
IDLE_SECONDS = 1.0  # the longest that `read` may block, so that its caller sees a stop flag

# lengths that differ by less are the same: containers round, decoders of MP3 and Opus trim the ends
SAME_SECONDS = 0.1


class SourceError(Exception):
    """The source cannot be opened or was lost: one line, what was expected and what came."""


class AudioSource(Protocol):
    """One open microphone, stream or file, read by one thread.

    Building a source opens it (SourceError if that fails). It is never reopened: after a loss a new one
    is built.
    """

    def read(self, seconds: float) -> audio.AudioChunk | None:
        """About the next `seconds` of audio at the native rate, or None at the end.

        Blocks until there is that much, but after IDLE_SECONDS returns what there is, perhaps nothing.
        Raises SourceError when the source is lost.
        """

    def close(self) -> None:
        """Release the device, connection or file; may be called twice."""


def format_fault(channels: int, sample_rate_hz: int) -> str | None:
    """Why a format is refused, None if it is not: a second of it would be gigabytes, or no sample."""
    low_hz, high_hz = audio.LOWEST_RATE_HZ, audio.HIGHEST_RATE_HZ
    if 1 <= channels <= audio.MAX_CHANNELS and low_hz <= sample_rate_hz <= high_hz:
        return None
    return (
        f"expected up to {audio.MAX_CHANNELS} channels of {low_hz} to {high_hz} Hz, "
        f"got {channels} of {sample_rate_hz} Hz"
    )


def unix_minus_monotonic() -> float:
    """Unix time at monotonic time 0; only a step of the system clock changes it.

    The quickest of a few readings counts: in another the scheduler may have come between the two clocks.
    """
    readings = []
    for _ in range(_CLOCK_READINGS):
        before, unix, after = time.monotonic(), time.time(), time.monotonic()
        readings.append((after - before, unix - (before + after) / 2))
    return min(readings)[1]
