"""A real `listener run` with a real Mosquitto, as a process of its own."""

from __future__ import annotations

import errno
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO

import psutil

from benchmarks.process_clock import process_cpu_seconds
from benchmarks.station_config import StationPlan, config_toml
from benchmarks.subscriber import Subscriber
from tests.rigs.mosquitto import Mosquitto

_STOP_SECONDS = 10.0
_READY_SECONDS, _LOOK_SECONDS = 60.0, 0.2
_SERVER_PORTS = (20_000, 32_000)  # below those that Linux gives to connections
_LISTENER = Path(sys.executable).with_name("listener")


@dataclass(frozen=True, slots=True)
class Station:
    """A running station; `started_at` is when it was executed, on the monotonic clock."""

    process: subprocess.Popen[bytes]
    http_port: int
    started_at: float

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def wait_until_online(self, subscriber: Subscriber, sources: int) -> None:
        """Wait until all sources are `online` at the broker; the subscriber needs `+/status`.

        A source's states go out before its status, so that the flood of a start is over.

        Raises:
            TimeoutError: they are not in two minutes, or the station has ended.
        """
        subscriber.wait_for(lambda receipt: receipt.payload == b"online", sources, self.is_alive)

    def wait_until_ready(self) -> None:
        """Wait until all sources were analysed, whatever waits to be sent.

        Raises:
            TimeoutError: they were not in a minute, or the station has ended.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while not self._is_ready():
            if time.monotonic() > deadline or not self.is_alive():
                raise TimeoutError(f"expected a station that is ready in {_READY_SECONDS:.0f} s")
            time.sleep(_LOOK_SECONDS)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/readyz") as answer:
                return bool(answer.status == HTTPStatus.OK)
        except urllib.error.URLError:  # it does not listen yet, or says 503
            return False

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far."""
        return process_cpu_seconds(self.process.pid)

    def rss_bytes(self) -> int:
        """Memory of the process that is resident now, shared pages included."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def metric(self, name: str) -> float:
        """Sum over all labels of a metric, from a scrape (which costs the station CPU time)."""
        return self.metrics(name)[0]

    def metrics(self, *names: str) -> list[float]:
        """Such sums of several metrics from one scrape; with many sources it has 100 000 lines."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics") as answer:
            samples = [line.rsplit(" ", 1) for line in answer.read().decode().splitlines()]
        sums = dict.fromkeys(names, 0.0)
        for series, value in samples:
            name = series.partition("{")[0]
            if name in sums:
                sums[name] += float(value)
        return list(sums.values())


@contextmanager
def running_broker() -> Iterator[Mosquitto]:
    """A Mosquitto of its own on a free port, as the README says to run it.

    By default its Nagle's algorithm holds a message back until the one before is acknowledged, which
    the subscriber's kernel delays by up to 40 ms.
    """
    with (
        tempfile.TemporaryDirectory() as directory,
        Mosquitto(Path(directory), "set_tcp_nodelay true") as broker,
    ):
        yield broker


@contextmanager
def running_station(
    plan: StationPlan,
    broker: Mosquitto,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Station]:
    """`listener run` from its execution to SIGTERM.

    Raises:
        RuntimeError: it ended by itself or with an error; with its last lines.
    """
    with tempfile.TemporaryDirectory() as directory:
        http_port = _free_server_port()
        config, log = Path(directory, "config.toml"), Path(directory, "log")
        config.write_text(config_toml(plan, broker.port, http_port))
        with log.open("wb") as log_file:
            station = _start(config, http_port, log_file, environment)
        try:
            yield station
        finally:
            _stop(station.process, log)


def _free_server_port() -> int:
    """A port that no connection takes before the station does: those begin at higher ports."""
    while True:
        port = random.randrange(*_SERVER_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED:
                return port


def _start(
    config: Path,
    http_port: int,
    log: IO[bytes],
    environment: Mapping[str, str] | None,
) -> Station:
    started_at = time.monotonic()
    process = subprocess.Popen(
        [str(_LISTENER), "run", "--config", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log,
        env=environment,
    )
    return Station(process, http_port, started_at)


def _stop(process: subprocess.Popen[bytes], log: Path) -> None:
    process.terminate()
    try:
        code = process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if code:
        raise RuntimeError(f"listener run ended with {code}: {log.read_text()[-2000:]}")
