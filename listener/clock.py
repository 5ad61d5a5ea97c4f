"""The system clock beside the monotonic one, which nobody sets."""

from __future__ import annotations

import time

STEP_SECONDS = 0.5  # NTP moves a clock that is off by less little by little, at most by 500 ppm


def unix_minus_monotonic() -> float:
    """Unix time of monotonic time 0; a step of the system clock shows here and nowhere else."""
    before, unix, after = time.monotonic(), time.time(), time.monotonic()
    return unix - (before + after) / 2  # half the error, should the scheduler step in between


class ClockWatch:
    """Notices when the system clock was set, and when the computer slept."""

    def __init__(self) -> None:
        self._offset = unix_minus_monotonic()

    def step_seconds(self) -> float:
        """By how much it was set forward since the last call, back if negative; mostly 0."""
        before, self._offset = self._offset, unix_minus_monotonic()
        step = self._offset - before
        return step if abs(step) > STEP_SECONDS else 0.0
