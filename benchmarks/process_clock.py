"""CPU time of a whole process, all its threads, with the kernel's nanoseconds."""

from __future__ import annotations

import ctypes
import os
import time


def process_cpu_seconds(pid: int) -> float:
    """User and system time of a process since its start, seconds.

    /proc/<pid>/stat counts ticks of 10 ms, too coarse for a station of one source; this is the
    process's own clock, clock_getcpuclockid(3).

    Raises:
        OSError: there is no such process.
    """
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(ctypes.c_int(pid), ctypes.byref(clock))
    if error:
        raise OSError(error, f"no CPU clock of process {pid}: {os.strerror(error)}")
    return time.clock_gettime(clock.value)
