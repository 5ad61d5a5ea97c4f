"""`python -m benchmarks.soak [PATCHES]` (`make soak`): many hours of audio; 1 if the station grows."""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks.figures import Aim, Figure
from benchmarks.machine import describe_machine
from benchmarks.soak.soak import Crowd, soak
from benchmarks.soak.vitals import growth
from benchmarks.tables import as_table
from listener.starter import starter_bundle_path

_PATCHES = 100_000
_CROWD = Crowd(sources=64, realtime=True)  # 64 times the speed of time: 13 minutes
_PATCH_HOP_SECONDS = 0.48


def main(patches: int) -> int:
    """Soak, print, judge."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    machine, began = describe_machine(), time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        course = soak(starter_bundle_path(), patches, Path(directory), _CROWD)
    grown = growth(course)
    speed = course[-1].patches * _PATCH_HOP_SECONDS / (time.monotonic() - began)
    part = f"{course[-1].patches} patches"
    figures = [
        Figure(part, "speed, all sources", "x real time", (speed,), Aim("at least", 20.0)),
        Figure(part, "RSS at the end", "MB", (course[-1].rss_bytes / 1e6,)),
        Figure(part, "RSS after warm-up grew by", "%", (grown.rss * 100,), Aim("at most", 2.0)),
        Figure(part, "descriptors grew by", "", (grown.descriptors,), Aim("at most", 0.0)),
        Figure(part, "threads grew by", "", (grown.threads,), Aim("at most", 0.0)),
    ]
    Console(width=140).print(as_table(figures, machine))
    return int(not all(figure.meets_aim is not False for figure in figures))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else _PATCHES))
