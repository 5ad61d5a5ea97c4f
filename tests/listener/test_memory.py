"""Large blocks go back to the system when they are freed, whatever was freed before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from listener.memory import return_large_blocks

# Blocks of 2 MB are freed, then smaller ones are left in holes between what stays.
PROGRAM = """
import sys
import psutil
import numpy as np
from listener.memory import return_large_blocks

if sys.argv[1] == "set":
    return_large_blocks()
before = psutil.Process().memory_info().rss
for _ in range(2):
    large = [np.ones(2_000_000, np.uint8) for _ in range(32)]
    del large
blocks, kept = [], []
for _ in range(64):
    blocks.append(np.ones(1_000_000, np.uint8))
    kept.append(np.ones(10_000, np.uint8))
del blocks
print((psutil.Process().memory_info().rss - before) // 1_000_000)
"""


def megabytes_kept(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_what_was_freed_between_what_stays_is_given_back():
    assert megabytes_kept("set") < 10
    assert megabytes_kept("as it comes") > 30


def test_it_may_be_called_twice():
    return_large_blocks()
    return_large_blocks()
