"""How the cost of a station grows with its sources, its labels and its patches a second."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.audio import find_clear, write_minutes
from benchmarks.figures import Aim, Figure
from benchmarks.lengths import Lengths
from benchmarks.materials import Materials
from benchmarks.proportion import growth_exponent, steepest_step
from benchmarks.station_size import PATCH_HOP_SECONDS, StationSize
from benchmarks.steady import watch_steady
from benchmarks.worker import Worker, running_worker
from listener.detection.bundle import Bundle, read_bundle

log = logging.getLogger(__name__)

PART = "growth"
COST_UNIT = "core-ms / s of audio"
RATIO_UNIT = "x bare engine"
_FILES = 16  # different ones; more sources share them
_SETTLE_SECONDS = 1.0
_LINEAR = Aim("at most", 1.0)
_NO_STEP = Aim("at most", 1.05)  # what is left is the machine's drift between two stations


@dataclass(frozen=True, slots=True)
class Series:
    """Sizes that differ in one thing, and how much of it each has."""

    over: str
    amounts: tuple[float, ...]
    sizes: tuple[StationSize, ...]


@dataclass(frozen=True, slots=True)
class _Trial:
    """Costs for a second of audio; the engine's is at the station's patch hop."""

    station: float
    engine: float


_SOURCES, _LABELS, _HOPS = (1, 4, 16, 64, 256), (10, 100, 521), (0.96, 0.48, 0.24, 0.12)
SERIES = (
    Series("sources", _SOURCES, tuple(StationSize(count, 10) for count in _SOURCES)),
    Series("labels", _LABELS, tuple(StationSize(64, count) for count in _LABELS)),
    Series(
        "patches a second",
        tuple(1 / hop for hop in _HOPS),
        tuple(StationSize(64, 10, hop) for hop in _HOPS),
    ),
)


def measure_growth(materials: Materials, lengths: Lengths, directory: Path) -> list[Figure]:
    """Every size `lengths.repeats` times in turn, each beside the bare engine."""
    bundle = read_bundle(materials.bundle)
    minutes = write_minutes(directory, materials.recordings, _FILES)
    sizes = list(dict.fromkeys(size for series in SERIES for size in series.sizes))
    trials: dict[StationSize, list[_Trial]] = {size: [] for size in sizes}
    clear = find_clear(materials.recordings)
    with running_worker("benchmarks.bare_engine", materials.bundle, clear) as engine:
        for repeat in range(lengths.repeats):
            for size in sizes:
                log.info("growth: %s, %d of %d", size.what, repeat + 1, lengths.repeats)
                trials[size].append(_try(size, bundle, minutes, engine, lengths))
    return [
        *(figure for size in sizes for figure in _size_figures(size, trials[size])),
        *(figure for series in SERIES for figure in _series_figures(series, trials)),
    ]


def _try(
    size: StationSize, bundle: Bundle, minutes: list[Path], engine: Worker, lengths: Lengths
) -> _Trial:
    before = engine.measure(lengths.burst_seconds)
    plan = size.plan(bundle.path, bundle.labels, minutes)
    settle_seconds = _SETTLE_SECONDS + size.backlog_seconds
    steady = watch_steady(
        plan, (), settle_seconds, lengths.growth_seconds, hop_seconds=size.hop_seconds
    )
    steady.check_complete()
    engine_ms = (before + engine.measure(lengths.burst_seconds)) / 2
    return _Trial(steady.core_ms, engine_ms * PATCH_HOP_SECONDS / size.hop_seconds)


def cost_name(size: StationSize) -> str:
    """What the figure is called that holds a size's cost."""
    return f"station, {size.what}"


def ratio_name(size: StationSize) -> str:
    """What the figure is called that holds a size's cost beside the bare engine's."""
    return f"station / bare engine, {size.what}"


def _size_figures(size: StationSize, trials: list[_Trial]) -> list[Figure]:
    ratios = tuple(trial.station / trial.engine for trial in trials)
    return [
        Figure(PART, cost_name(size), COST_UNIT, tuple(trial.station for trial in trials)),
        Figure(PART, ratio_name(size), RATIO_UNIT, ratios),
    ]


def _series_figures(series: Series, trials: dict[StationSize, list[_Trial]]) -> list[Figure]:
    """Of each repeat: the power with which all cost grows, and the worst step of a unit's cost."""
    repeats = zip(*(trials[size] for size in series.sizes), strict=True)
    totals = [_totals(series.sizes, repeat) for repeat in repeats]
    exponents = tuple(growth_exponent(series.amounts, total) for total in totals)
    steps = tuple(steepest_step(series.amounts, total) for total in totals)
    return [
        Figure(PART, f"cost ~ {series.over} to the power of", "", exponents, _LINEAR),
        Figure(PART, f"steepest step of cost / {series.over}", "x", steps, _NO_STEP),
    ]


def _totals(sizes: Sequence[StationSize], repeat: Sequence[_Trial]) -> list[float]:
    """The cost of each whole station, in patches of the bare engine a second: free of drift."""
    return [
        trial.station / trial.engine * size.sources / size.hop_seconds
        for size, trial in zip(sizes, repeat, strict=True)
    ]
