"""From the execution of `listener run` to the receipt of its first event."""

from __future__ import annotations

import logging
from pathlib import Path

from benchmarks.audio import find_clear, write_wav
from benchmarks.figures import Aim, Figure
from benchmarks.lengths import Lengths
from benchmarks.materials import Materials
from benchmarks.station import running_broker, running_station
from benchmarks.station_config import StationPlan, file_sources
from benchmarks.subscriber import Subscriber
from tests.rigs.mosquitto import Mosquitto

log = logging.getLogger(__name__)

PART = "cold start"
_WINDOW_SECONDS = 0.975  # of audio in the first patch


def measure_cold_start(materials: Materials, lengths: Lengths, directory: Path) -> list[Figure]:
    """One file source that begins with a loud clear event; a median of 3 patches needs 1.455 s of it."""
    wav = write_wav(directory / "clear.wav", [find_clear(materials.recordings)])
    plan = StationPlan(materials.bundle, file_sources([wav], 1))
    starts = []
    with running_broker() as broker:
        for repeat in range(lengths.cold_starts):
            log.info("cold start: %d of %d", repeat + 1, lengths.cold_starts)
            starts.append(_start_once(plan, broker))
    online, event = zip(*starts, strict=True)
    beyond = tuple(seconds - _WINDOW_SECONDS for seconds in online)
    return [
        Figure(PART, "source online (first patch analysed)", "s", online),
        Figure(PART, "the same, beyond its 0.975 s of audio", "s", beyond, Aim("at most", 1.0)),
        Figure(PART, "first event received", "s", event, Aim("at most", 2.0)),
    ]


def _start_once(plan: StationPlan, broker: Mosquitto) -> tuple[float, float]:
    """Seconds to the source's status and to its first event."""
    with Subscriber(broker.port, "+/status", "+/event") as subscriber:
        with running_station(plan, broker) as station:
            [event, *_] = subscriber.wait_for(
                lambda receipt: receipt.topic.endswith("/event"), 1, station.is_alive
            )
            # retained states of the start before come first, but they say offline
            [online, *_] = subscriber.wait_for(
                lambda receipt: receipt.payload == b"online", 1, station.is_alive
            )
        return online.monotonic - station.started_at, event.monotonic - station.started_at
