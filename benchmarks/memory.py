"""Resident memory of a station that listens to one microphone."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.audio import write_minutes
from benchmarks.figures import Aim, Figure
from benchmarks.lengths import Lengths
from benchmarks.materials import Materials
from benchmarks.station import Station, running_broker, running_station
from benchmarks.station_config import StationPlan, file_sources, microphone_source
from benchmarks.subscriber import Subscriber
from tests.rigs import pulse

log = logging.getLogger(__name__)

PART = "memory"
_FEW = ("speech", "dog", "siren", "baby_cry_infant_cry", "smoke_detector_smoke_alarm")


@dataclass(frozen=True, slots=True)
class _Selection:
    what: str
    labels: tuple[str, ...]  # empty: all


_SELECTIONS = (_Selection("all 521 labels", ()), _Selection("5 labels", _FEW))


def measure_memory(materials: Materials, lengths: Lengths, directory: Path) -> list[Figure]:
    """RSS after a while of listening; a file is its source where there is no PulseAudio."""
    [wav] = write_minutes(directory, materials.recordings, 1)
    reason = pulse.missing()
    if reason is not None:
        log.warning("memory: no virtual microphone: %s", reason)
    source = "microphone" if reason is None else "16 kHz file (no PulseAudio here)"
    figures = []
    for selection in _SELECTIONS:
        log.info("memory: %s, %s", source, selection.what)
        megabytes = _measure_once(materials.bundle, selection, wav, lengths.memory_seconds)
        what = f"RSS, one {source}, {selection.what}, after {lengths.memory_seconds:.0f} s"
        figures.append(Figure(PART, what, "MB", (megabytes,), Aim("at most", 120.0)))
    return figures


def _measure_once(bundle: Path, selection: _Selection, wav: Path, seconds: float) -> float:
    run = _from_microphone if pulse.missing() is None else _from_file
    with run(bundle, _detection(selection), wav) as station:
        time.sleep(seconds)
        return station.rss_bytes() / 1e6


def _detection(selection: _Selection) -> str:
    return f"[detection]\nlabels = {list(selection.labels)}\n"


@contextmanager
def _from_microphone(bundle: Path, detection: str, wav: Path) -> Iterator[Station]:
    plan = StationPlan(bundle, (microphone_source(pulse.DEVICE),), detection=detection)
    with (
        tempfile.TemporaryDirectory() as directory,
        pulse.virtual_microphone(Path(directory)) as microphone,
        running_broker() as broker,
        Subscriber(broker.port, "+/status") as subscriber,
        running_station(plan, broker, {**os.environ, **microphone.environment}) as station,
        _playing(microphone, wav),
    ):
        station.wait_until_online(subscriber, 1)
        yield station


@contextmanager
def _playing(microphone: pulse.VirtualMicrophone, wav: Path) -> Iterator[None]:
    with microphone.play(wav) as player:
        try:
            yield
        finally:
            player.kill()


@contextmanager
def _from_file(bundle: Path, detection: str, wav: Path) -> Iterator[Station]:
    plan = StationPlan(bundle, file_sources([wav], 1), detection=detection)
    with (
        running_broker() as broker,
        Subscriber(broker.port, "+/status") as subscriber,
        running_station(plan, broker) as station,
    ):
        station.wait_until_online(subscriber, 1)
        yield station
