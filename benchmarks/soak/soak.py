"""A real `listener run` with all its parts, that hears many sources or reads a few as fast as it can."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import soundfile

from benchmarks.soak.vitals import Vitals, read_vitals
from benchmarks.station import Station, running_broker, running_station
from benchmarks.station_config import StationPlan
from benchmarks.subscriber import Subscriber
from listener.soundscape.schedule import SceneSpec, random_scene
from tests.rigs.mosquitto import Mosquitto

log = logging.getLogger(__name__)

_SCENES = 2  # of half a minute for each source
_SAMPLES = 100  # of the station's vitals
_LOOK_SECONDS = 0.05
_STUCK_SECONDS = 60.0
_RATE_HZ = 16_000
# Small bounds, so that what is bounded is full long before the end of the warm-up; short clips, since at
# some hundred times the speed of time dozens of them wait to be written.
_CLIPS = """[clips]
enabled = true
keep_megabytes = 4
pre_seconds = 0.5
post_seconds = 0.5
max_seconds = 5
ambient_per_hour = 6
"""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many sources are heard, and whether at the speed of time."""

    sources: int
    realtime: bool


def soak(bundle: Path, patches: int, directory: Path, crowd: Crowd) -> list[Vitals]:
    """The course of a station over so many patches, with MQTT, clips and scrapes.

    Every tenth of the way the broker is taken away and comes back.

    Raises:
        TimeoutError: no patch was analysed for a minute.
    """
    plan = StationPlan(bundle, _sources(directory, crowd), detection=_CLIPS + _clips_in(directory))
    with (
        running_broker() as broker,
        Subscriber(broker.port, "#") as subscriber,
        running_station(plan, broker) as station,
    ):
        station.wait_until_online(subscriber, crowd.sources)
        return list(_with_outages(_watch(station, patches), broker))


def _with_outages(course: Iterator[Vitals], broker: Mosquitto) -> Iterator[Vitals]:
    for number, vitals in enumerate(course, start=1):
        log.info(
            "%d patches, %.1f MB, %d descriptors, %d threads",
            vitals.patches,
            vitals.rss_bytes / 1e6,
            vitals.descriptors,
            vitals.threads,
        )
        yield vitals
        if number % (_SAMPLES // 10) == 0:
            broker.stop()
            broker.start()


def _sources(directory: Path, crowd: Crowd) -> tuple[str, ...]:
    pace = "realtime" if crowd.realtime else "fast"
    return tuple(
        f"[[sources]]\nname = 's{number}'\nkind = 'file'\npace = '{pace}'\nat_end = 'restart'\n"
        f"path = '{_write_scenes(directory / f's{number}.wav', number)}'\n"
        for number in range(crowd.sources)
    )


def _write_scenes(path: Path, number: int) -> Path:
    with soundfile.SoundFile(path, "w", _RATE_HZ, 1, "PCM_16") as file:
        for seed in range(number * _SCENES, (number + 1) * _SCENES):
            file.write(random_scene(SceneSpec(), seed).samples)
    return path


def _clips_in(directory: Path) -> str:
    return f"directory = '{directory / 'clips'}'\n"


def _watch(station: Station, patches: int) -> Iterator[Vitals]:
    """The station's vitals, evenly over so many patches."""
    step = patches / _SAMPLES
    for number in range(1, _SAMPLES + 1):
        done = _wait_for(station, number * step)
        yield read_vitals(station.process.pid, done)


def _wait_for(station: Station, patches: float) -> int:
    deadline = time.monotonic() + _STUCK_SECONDS
    while (done := station.metric("listener_patches_total")) < patches:
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected {patches:.0f} patches within a minute, got {done:.0f}")
        time.sleep(_LOOK_SECONDS)
    return int(done)
