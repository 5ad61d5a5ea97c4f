"""How many series a station has for Prometheus, from a scrape of a real one."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import yaml

from benchmarks.fleet.stations import label_slugs
from benchmarks.materials import ROOT
from benchmarks.station import running_broker, running_station
from benchmarks.station_config import StationPlan, file_sources
from benchmarks.subscriber import Subscriber
from listener.starter import starter_bundle_path
from tests.rigs.mosquitto import Mosquitto

_LABELS, _MORE_LABELS = 5, 10
_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True)
class Series:
    """Of a station with one source and five labels, and what another source (of five) and label add.

    `sent` are those of the station that monitoring/prometheus/fleet.yml sends on.
    """

    station: int
    source: int
    label: float
    sent: int


def measure_series(directory: Path) -> Series:
    """Three stations, one after the other."""
    wav = directory / "silence.wav"
    soundfile.write(wav, np.zeros(10 * _RATE_HZ, np.float32), _RATE_HZ, subtype="PCM_16")
    with running_broker() as broker:
        names = _names(broker, wav, 1, _LABELS)
        twice = len(_names(broker, wav, 2, _LABELS))
        many = len(_names(broker, wav, 1, _MORE_LABELS))
    count = len(names)
    label = (many - count) / (_MORE_LABELS - _LABELS)
    return Series(count, twice - count, label, count_sent(names))


def count_sent(names: Sequence[str]) -> int:
    """How many of the series of these names a site's Prometheus sends on."""
    document = yaml.safe_load((ROOT / "monitoring" / "prometheus" / "fleet.yml").read_text())
    [rule] = document["remote_write"][0]["write_relabel_configs"]
    return sum(re.fullmatch(rule["regex"], name) is None for name in names)


def _names(broker: Mosquitto, wav: Path, sources: int, labels: int) -> list[str]:
    """Of every series of a scrape, the metric's name."""
    detection = f"[detection]\nlabels = {list(label_slugs(labels))}\n"
    plan = StationPlan(starter_bundle_path(), file_sources([wav], sources), detection=detection)
    with _online(broker, plan, sources) as address, urllib.request.urlopen(address) as answer:
        lines = answer.read().decode().splitlines()
    return [re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")]


@contextmanager
def _online(broker: Mosquitto, plan: StationPlan, sources: int) -> Iterator[str]:
    """The address of the metrics of a station that is at work."""
    with (
        Subscriber(broker.port, "+/status") as subscriber,
        running_station(plan, broker) as station,
    ):
        station.wait_until_online(subscriber, sources)
        yield f"http://127.0.0.1:{station.http_port}/metrics"
