"""300 cameras on one station: is a patch dropped, how late is what is heard, what does it cost?"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from benchmarks.audio import find_clear, write_minutes
from benchmarks.figures import Aim, Figure, percentile
from benchmarks.latency import event_latencies, level_latencies
from benchmarks.lengths import Lengths
from benchmarks.materials import Materials
from benchmarks.station_size import CHOSEN_LABELS, StationSize
from benchmarks.steady import Steady, watch_steady
from benchmarks.worker import Worker, running_worker
from listener.detection.bundle import Bundle, read_bundle

log = logging.getLogger(__name__)

_SOURCES = 300
PART = f"scale, {_SOURCES} sources"
_FILES = 16  # different ones; the sources share them
_ENGINE_AIM = Aim("at most", 1.25)
_P99_AIM_MS = 150.0


@dataclass(frozen=True, slots=True)
class _Trial:
    station: Steady
    engine_core_ms: float  # for a second of audio, measured directly before and after
    event_ms: list[float]
    level_ms: list[float]


def measure_scale(materials: Materials, lengths: Lengths, directory: Path) -> list[Figure]:
    """At the speed of time and at default settings, with ten labels chosen and with all of the bundle."""
    bundle = read_bundle(materials.bundle)
    minutes = write_minutes(directory, materials.recordings, _FILES)
    counts = (len(CHOSEN_LABELS), len(bundle.labels))
    sizes = [StationSize(_SOURCES, count) for count in counts]
    trials: dict[StationSize, list[_Trial]] = {size: [] for size in sizes}
    clear = find_clear(materials.recordings)
    with running_worker("benchmarks.bare_engine", materials.bundle, clear) as engine:
        for repeat in range(lengths.repeats):
            for size in sizes:
                log.info("scale: %s, %d of %d", size.what, repeat + 1, lengths.repeats)
                trials[size].append(_try(size, bundle, minutes, engine, lengths))
    return [figure for size in sizes for figure in _figures(size, trials[size])]


def _try(
    size: StationSize, bundle: Bundle, minutes: list[Path], engine: Worker, lengths: Lengths
) -> _Trial:
    before = engine.measure(lengths.burst_seconds)
    plan = size.plan(bundle.path, bundle.labels, minutes)
    station = watch_steady(
        plan,
        ("+/event", "+/level"),
        lengths.settle_seconds,
        lengths.scale_seconds,
        huge=size.labels > len(CHOSEN_LABELS),
    )
    after = engine.measure(lengths.burst_seconds)
    [policy] = set(bundle.manifest.policies.values())  # YAMNet's labels share theirs
    return _Trial(
        station,
        (before + after) / 2,
        event_latencies(station.receipts, bundle.manifest.features, policy),
        level_latencies(station.receipts),
    )


def _figures(size: StationSize, trials: list[_Trial]) -> list[Figure]:
    def figure(what: str, unit: str, values: list[float], aim: Aim | None = None) -> Figure:
        return Figure(PART, f"{what}, {size.labels} labels", unit, tuple(values), aim)

    stations = [trial.station for trial in trials]
    core_ms = [station.core_ms for station in stations]
    ratios = [trial.station.core_ms / trial.engine_core_ms for trial in trials]
    return [
        figure("patches dropped", "", [s.dropped for s in stations], Aim("at most", 0.0)),
        *_latency_figures(size, "level", [trial.level_ms for trial in trials]),
        *_latency_figures(size, "event", [trial.event_ms for trial in trials]),
        figure("station", "core-ms / s of audio", core_ms),
        figure("station / bare engine", "x", ratios, _ENGINE_AIM),
        figure("use of one core", "%", [cost * _SOURCES / 10 for cost in core_ms]),
        figure("mean batch", "patches", [s.batch_patches for s in stations]),
        figure("RSS", "MB", [s.rss_bytes / 1e6 for s in stations]),
    ]


def _latency_figures(size: StationSize, what: str, trials: list[list[float]]) -> list[Figure]:
    """One p50, p99 and count a trial."""

    def figure(name: str, unit: str, values: list[float], aim: Aim | None = None) -> Figure:
        return Figure(PART, f"{name}, {size.labels} labels", unit, tuple(values), aim)

    def ranks(percent: float) -> list[float]:
        return [percentile(latencies, percent) for latencies in trials]

    arrow = f"last sample to receipt of {what}"
    return [
        figure(f"{arrow}, p50", "ms", ranks(50)),
        figure(f"{arrow}, p99", "ms", ranks(99), Aim("at most", _P99_AIM_MS)),
        figure(f"{what}s received", "messages", [len(latencies) for latencies in trials]),
    ]
