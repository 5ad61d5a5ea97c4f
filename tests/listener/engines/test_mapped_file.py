"""Pages of a mapped file leave the process and come back when they are read."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest

from listener.engines.mapped_file import release_pages

MEGABYTE = 1 << 20


def resident_kilobytes(path: Path) -> int:
    """Of all mappings of a file."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        key, *rest = line.split()
        if not key.endswith(":"):
            inside = rest[-1] == str(path)
        elif inside and key == "Rss:":
            total += int(rest[0])
    return total


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_what_was_read_goes_and_is_the_same_when_it_is_read_again(tmp_path: Path):
    path, other = tmp_path / "model", tmp_path / "other"
    content = bytes(range(256)) * (MEGABYTE // 256)
    path.write_bytes(content)
    other.write_bytes(content)
    with path.open("rb") as file, other.open("rb") as untouched:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        beside = mmap.mmap(untouched.fileno(), 0, access=mmap.ACCESS_READ)
        assert mapped[:] == beside[:] == content
        assert resident_kilobytes(path) == resident_kilobytes(other) == 1024
        release_pages(path)
        assert resident_kilobytes(path) == 0
        assert resident_kilobytes(other) == 1024
        assert mapped[:] == content
        mapped.close()
        beside.close()
