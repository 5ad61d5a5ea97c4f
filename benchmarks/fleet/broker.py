"""A Mosquitto with the configuration that ships, and what it says of connections."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import psutil

from benchmarks.fleet.receiver import ACCOUNT_SECONDS
from benchmarks.materials import ROOT
from tests.rigs.mosquitto import Mosquitto

_OF_THE_HOST = re.compile(r"^(listener|allow_anonymous|password_file|acl_file)\b")
_CONNECTED = re.compile(r"^(\d+): New client connected .* as (\S+)", re.MULTILINE)


def shipped_broker(directory: Path, *, keeps: bool = True) -> Mosquitto:
    """mosquitto/earshot.conf without names and passwords; not `keeps`: nothing goes to the disk."""
    lines = (ROOT / "mosquitto" / "earshot.conf").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not _OF_THE_HOST.match(line)]
    if not keeps:
        lines = [line for line in lines if not line.startswith(("persistence ", "autosave_"))]
    more = (f"sys_interval {ACCOUNT_SECONDS}", f"persistence_location {directory}/")
    return Mosquitto(directory, *lines, *more, verbose=False)


def rss_bytes(broker: Mosquitto) -> int:
    """Memory of a broker that is resident now."""
    return int(psutil.Process(broker.pid).memory_info().rss)


def connections_by_second(log: str, prefix: str, since: float) -> Counter[int]:
    """How many clients whose id begins with `prefix` connected in each second, by unix time."""
    found = ((int(second), name) for second, name in _CONNECTED.findall(log))
    return Counter(
        second for second, name in found if second >= int(since) and name.startswith(prefix)
    )
