"""What a station of one source costs beyond its model, how much memory it takes, how soon it hears."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from benchmarks.audio import find_clear, write_minutes
from benchmarks.cold_start import measure_cold_start
from benchmarks.figures import Aim, Figure
from benchmarks.lengths import Lengths
from benchmarks.materials import Materials
from benchmarks.memory import measure_memory
from benchmarks.station_config import StationPlan, file_sources
from benchmarks.steady import watch_steady
from benchmarks.worker import Worker, running_worker

log = logging.getLogger(__name__)

PART = "one source"
_UNIT = "core-ms / s of audio"
_BATCH = 1  # one source has no more at a time
_MOST_PERCENT = 1.0


@dataclass(frozen=True, slots=True)
class _Trial:
    """Core-milliseconds for a second of audio; the engine's are half before, half after.

    It takes patch after patch from its caches, which a station has lost after 0.48 s: what that costs
    counts as the station's.
    """

    station: float
    engine: float


def measure_one_source(materials: Materials, lengths: Lengths, directory: Path) -> list[Figure]:
    """Cost, with all labels and default settings; then the parts `memory` and `cold-start`."""
    return [
        *_cost_figures(_measure_cost(materials, lengths, directory)),
        *measure_memory(materials, lengths, directory),
        *measure_cold_start(materials, lengths, directory),
    ]


def _measure_cost(materials: Materials, lengths: Lengths, directory: Path) -> list[_Trial]:
    plan = StationPlan(
        materials.bundle, file_sources(write_minutes(directory, materials.recordings, 1), 1)
    )
    clear = find_clear(materials.recordings)
    trials = []
    with running_worker("benchmarks.bare_engine", materials.bundle, clear, _BATCH) as engine:
        for repeat in range(lengths.repeats):
            log.info("one source: %d of %d", repeat + 1, lengths.repeats)
            trials.append(_try(plan, engine, lengths))
    return trials


def _try(plan: StationPlan, engine: Worker, lengths: Lengths) -> _Trial:
    before = engine.measure(lengths.burst_seconds)
    station = watch_steady(plan, (), lengths.settle_seconds, lengths.window_seconds)
    station.check_complete()
    after = engine.measure(lengths.burst_seconds)
    return _Trial(station.core_ms, (before + after) / 2)


def _cost_figures(trials: list[_Trial]) -> list[Figure]:
    beyond = tuple(
        (trial.station - trial.engine) / 10 for trial in trials
    )  # of 1000 ms, in percent
    return [
        Figure(PART, "station", _UNIT, tuple(trial.station for trial in trials)),
        Figure(PART, "bare engine, patch after patch", _UNIT, tuple(t.engine for t in trials)),
        Figure(
            PART, "beyond the bare engine", "% of a core", beyond, Aim("at most", _MOST_PERCENT)
        ),
    ]
