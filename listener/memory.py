"""How the C library keeps memory, set for a process that runs for months."""

from __future__ import annotations

import ctypes
import logging

log = logging.getLogger(__name__)

# mallopt(3): parameters of glibc, as malloc.h numbers them
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
_LARGE_BYTES = 256 * 1024
_ARENAS = 2


def return_large_blocks() -> None:
    """Let large blocks go back to the system when they are freed; before threads are started.

    glibc raises its limit for such blocks to the largest that was ever freed, so that a few clips of two
    megabytes leave holes: a station grew by a quarter in an hour's clips and stayed there. With a fixed
    limit it comes back to where it was.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        log.debug("memory: no mallopt(3) here")
        return
    mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_ARENA_MAX, _ARENAS)
