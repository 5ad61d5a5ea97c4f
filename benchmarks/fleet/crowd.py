"""Stations by the hundred: many in a process, a process for each core."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from benchmarks.fleet.stations import BareStation, EarshotStation, Station

_STOP_SECONDS = 60.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Speech:
    """Each station sends so many event messages a second, evenly, from `begin` (unix seconds) on."""

    per_second: float
    seconds: float
    begin: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How stations stand: event messages that each made since its start, connections, what waits.

    `cpu_seconds` and `rss_bytes` are those of their processes.
    """

    made: dict[str, int]
    connected: int
    waiting: int
    cpu_seconds: float
    rss_bytes: int


Order = Speech | None  # None: how do you stand?


class Crowd:
    """Stations at work, in processes of their own."""

    def __init__(self, names: Sequence[str], pipes: Sequence[Connection]) -> None:
        self.names, self._pipes = names, pipes

    def begin(self, per_second: float, seconds: float) -> None:
        """Let all speak; `standing` waits for the end of it."""
        speech = Speech(per_second, seconds, time.time() + _LOOK_SECONDS)
        for pipe in self._pipes:
            pipe.send(speech)

    def standing(self) -> Standing:
        """How all stand, once they have spoken.

        Raises:
            EOFError: a process has died; its error is on stderr.
        """
        for pipe in self._pipes:
            pipe.send(None)
        parts: list[Standing] = [pipe.recv() for pipe in self._pipes]
        return Standing(
            {name: count for part in parts for name, count in part.made.items()},
            sum(part.connected for part in parts),
            sum(part.waiting for part in parts),
            sum(part.cpu_seconds for part in parts),
            sum(part.rss_bytes for part in parts),
        )

    def wait_until_connected(self, seconds: float) -> None:
        """Wait for every station's connection.

        Raises:
            TimeoutError: they are not there in that time.
        """
        deadline = time.monotonic() + seconds
        while (connected := self.standing().connected) < len(self.names):
            if time.monotonic() > deadline:
                raise TimeoutError(f"expected {len(self.names)} connections, got {connected}")
            time.sleep(_LOOK_SECONDS)


@contextmanager
def crowd(
    names: Sequence[str], port: int, directory: Path, *, bare: bool = False
) -> Iterator[Crowd]:
    """Stations of these names, connecting to a port of this machine; `bare`: paho alone."""
    context = multiprocessing.get_context("spawn")  # a fork would copy threads that do not run
    count = min(len(names), len(os.sched_getaffinity(0)))
    pipes, processes = [], []
    for part in range(count):
        near, far = context.Pipe()
        arguments = (far, names[part::count], port, directory, bare)
        process = context.Process(target=_work, args=arguments, daemon=True)
        process.start()
        far.close()
        pipes.append(near)
        processes.append(process)
    try:
        yield Crowd(names, pipes)
    finally:
        for pipe in pipes:
            pipe.close()  # the end, for the process
        for process in processes:
            process.join(_STOP_SECONDS)
            process.kill()
            process.join()


def _work(pipe: Connection, names: Sequence[str], port: int, directory: Path, bare: bool) -> None:
    """A process of the crowd: its stations, until the pipe is closed."""
    kind = BareStation if bare else EarshotStation
    stations: list[Station] = [kind(name, port, directory) for name in names]
    made = [0] * len(stations)
    try:
        while True:
            order: Order = pipe.recv()
            if order is None:
                pipe.send(_standing(names, stations, made))
            else:
                _speak(stations, made, order)
    except EOFError:  # nobody asks any more
        for station in stations:
            station.close()


def _speak(stations: Sequence[Station], made: list[int], speech: Speech) -> None:
    """In turn, so that the messages of all are spread evenly over time."""
    per_second = speech.per_second * len(stations)
    for number in range(round(per_second * speech.seconds)):
        time.sleep(max(0.0, speech.begin + number / per_second - time.time()))
        place = number % len(stations)
        stations[place].send(made[place])
        made[place] += 1


def _standing(names: Sequence[str], stations: Sequence[Station], made: list[int]) -> Standing:
    return Standing(
        dict(zip(names, made, strict=True)),
        sum(station.is_connected for station in stations),
        sum(station.waiting for station in stations),
        time.process_time(),
        psutil.Process().memory_info().rss,
    )
