"""Memory of a file that is mapped into the process, given back."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

_MAPS = Path("/proc/self/maps")
_MADV_DONTNEED = 4  # madvise(2)


def release_pages(path: Path) -> None:
    """Let go of a mapped file's pages; what is read again comes from the file.

    LiteRT maps the model and packs its weights into memory of its own: YAMNet's 15 MB would be there
    twice, and once more for each batch size.
    """
    if not _MAPS.exists():  # not Linux
        return
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in _mappings(path.resolve()):
        if madvise(start, end - start, _MADV_DONTNEED):
            log.debug("%s: its pages stay: madvise gave %d", path, ctypes.get_errno())


def _mappings(path: Path) -> Iterator[tuple[int, int]]:
    """First address and the one after the last of each mapping of the file."""
    for line in _MAPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        addresses, access, _, _, _, *name = line.split(maxsplit=5)
        if name == [str(path)] and "w" not in access:
            start, end = addresses.split("-")
            yield int(start, 16), int(end, 16)
