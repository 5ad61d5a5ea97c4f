"""From the last sample of a patch to an outside subscriber's receipt of what it decided."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.audio import write_minutes
from benchmarks.figures import Aim, Figure, percentile
from benchmarks.lengths import Lengths
from benchmarks.materials import Materials
from benchmarks.station import running_broker, running_station
from benchmarks.station_config import StationPlan, file_sources
from benchmarks.subscriber import Receipt, Subscriber
from listener.detection.bundle import read_bundle
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy

log = logging.getLogger(__name__)

PART = "latency"
_SOURCES = 16
_P99_AIM_MS = 50.0
# Low thresholds, no gap and no memory make events often; smoothing stays at its default of 3 patches.
_POLICY = LabelPolicy(on_threshold=0.1, off_threshold=0.1, min_duration_seconds=0.0)
_DETECTION = (
    "[detection.default_policy]\n"
    f"on_threshold = {_POLICY.on_threshold}\noff_threshold = {_POLICY.off_threshold}\n"
    f"smoothing_seconds = {_POLICY.smoothing_seconds}\nmax_gap_seconds = 0.0\n"
    "min_duration_seconds = 0.0\nrefractory_seconds = 0.0\n"
)


def measure_latency(materials: Materials, lengths: Lengths, directory: Path) -> list[Figure]:
    """16 sources; every start of an event and every level that comes within the time."""
    minutes = write_minutes(directory, materials.recordings, _SOURCES)
    plan = StationPlan(
        materials.bundle,
        file_sources(minutes, _SOURCES),
        mqtt="level_interval_seconds = 0.0",
        detection=_DETECTION,
    )
    receipts = _listen(plan, lengths)
    params = read_bundle(materials.bundle).manifest.features
    return [
        *_figures("event", event_latencies(receipts, params, _POLICY), Aim("at most", _P99_AIM_MS)),
        *_figures("level", level_latencies(receipts), None),
    ]


def _listen(plan: StationPlan, lengths: Lengths) -> list[Receipt]:
    """What came after the start, in which 521 states a source go out before anything else."""
    log.info("latency: %d sources, %.0f s", _SOURCES, lengths.latency_seconds)
    with (
        running_broker() as broker,
        Subscriber(broker.port, "+/status", "+/event", "+/level") as subscriber,
        running_station(plan, broker) as station,
    ):
        station.wait_until_online(subscriber, _SOURCES)
        time.sleep(lengths.settle_seconds)
        began = len(subscriber.receipts)
        time.sleep(lengths.latency_seconds)
        receipts = subscriber.receipts[began:]
        if station.metric("listener_patches_dropped_total"):
            raise RuntimeError("the station was behind and dropped patches")
    return receipts


def event_latencies(
    receipts: Iterable[Receipt], params: FeatureParams, policy: LabelPolicy
) -> list[float]:
    """Milliseconds from the last sample that each event's start needed to its receipt.

    All labels have the policy's smoothing, and no least duration.
    """
    latencies = []
    for receipt, document in _documents(receipts, "/event"):
        if document["phase"] == "start":
            needed = last_sample_time(_unix(document["onset"]), params, policy.smoothing_seconds)
            latencies.append((receipt.at - needed) * 1000)
    return latencies


def level_latencies(receipts: Iterable[Receipt]) -> list[float]:
    """Milliseconds from the last sample of each level's patch to its receipt."""
    return [
        (receipt.at - _unix(document["at"])) * 1000
        for receipt, document in _documents(receipts, "/level")
    ]


def _documents(receipts: Iterable[Receipt], topic_end: str) -> list[tuple[Receipt, dict[str, Any]]]:
    wanted = (receipt for receipt in receipts if receipt.topic.endswith(topic_end))
    return [(receipt, json.loads(receipt.payload)) for receipt in wanted]


def _unix(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def last_sample_time(onset: float, params: FeatureParams, smoothing_seconds: float) -> float:
    """Unix time of the last sample that the start of an event needed.

    The onset is that of the hop-wide slot in the middle of a patch (not the first of a stretch, whose
    slot is wider). A running median looks half its length further, and the patch at its end is the
    one that decides: with the defaults 0.7275 + 0.48 = 1.2075 s after the onset.
    """
    policy = LabelPolicy(smoothing_seconds=smoothing_seconds)
    delay = policy.smoothing_patches(params.patch_hop_seconds) // 2
    window_seconds = params.window_samples / params.sample_rate_hz
    before_slot = (window_seconds - params.patch_hop_seconds) / 2
    return onset - before_slot + delay * params.patch_hop_seconds + window_seconds


def _figures(what: str, latencies: list[float], p99_aim: Aim | None) -> list[Figure]:
    def figure(name: str, value: float, aim: Aim | None = None) -> Figure:
        return Figure(PART, f"last sample to {what}'s receipt, {name}", "ms", (value,), aim)

    return [
        figure("p50", percentile(latencies, 50)),
        figure("p95", percentile(latencies, 95)),
        figure("p99", percentile(latencies, 99), p99_aim),
        figure("max", max(latencies)),
        Figure(PART, f"{what}s received", "messages", (len(latencies),)),
    ]
