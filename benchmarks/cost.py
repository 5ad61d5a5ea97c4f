"""Core-milliseconds per second of audio: the station beside the bare engine and beside TF Hub."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.audio import find_clear, write_minutes
from benchmarks.figures import Aim, Figure
from benchmarks.lengths import Lengths
from benchmarks.materials import Materials
from benchmarks.station_config import StationPlan, file_sources
from benchmarks.steady import watch_steady
from benchmarks.worker import Worker, running_worker

log = logging.getLogger(__name__)

PART = "cost"
_UNIT = "core-ms / s of audio"
_FILES = 16  # different ones; more sources share them


@dataclass(frozen=True, slots=True)
class Case:
    """A station that is measured; the aims are for its ratios to the engine and of TF Hub to it."""

    what: str
    paths: tuple[Path, ...]
    sources: int
    engine_aim: Aim | None = None
    hub_aim: Aim | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """Costs of station, engine and TF Hub taken within the same seconds, core-ms / s of audio."""

    station: float
    engine: float
    hub: float
    batch_patches: float  # mean over the batches since the station's start


@dataclass(frozen=True, slots=True)
class Yardsticks:
    """The workers beside which a station is measured."""

    engine: Worker
    hub: Worker

    def measure(self, seconds: float) -> tuple[float, float]:
        """Costs of engine and TF Hub, now."""
        return self.engine.measure(seconds), self.hub.measure(seconds)


def measure_cost(materials: Materials, lengths: Lengths, directory: Path) -> list[Figure]:
    """Every case `lengths.repeats` times in turn, so that a drift of the machine meets them all."""
    cases = _make_cases(materials, directory)
    trials: dict[str, list[Trial]] = {case.what: [] for case in cases}
    with _yardsticks(materials) as yardsticks:
        for repeat in range(lengths.repeats):
            for case in cases:
                log.info("cost: %s, %d of %d", case.what, repeat + 1, lengths.repeats)
                trials[case.what].append(_try(case, materials.bundle, yardsticks, lengths))
    yardstick_trials = [trial for each in trials.values() for trial in each]
    return _yardstick_figures(yardstick_trials) + [
        figure for case in cases for figure in _case_figures(case, trials[case.what])
    ]


def _make_cases(materials: Materials, directory: Path) -> list[Case]:
    minutes = tuple(write_minutes(directory, materials.recordings, _FILES))
    aims = Aim("at most", 1.5), Aim("at least", 4.0)
    return [
        Case("1 source, 16 kHz WAV", minutes, 1),
        Case("16 sources, 16 kHz WAV", minutes, 16),
        Case("64 sources, 16 kHz WAV", minutes, 64, *aims),
        Case("16 sources, 44.1 kHz OGG", materials.recordings[:_FILES], 16),
    ]


@contextmanager
def _yardsticks(materials: Materials) -> Iterator[Yardsticks]:
    clear = find_clear(materials.recordings)
    with (
        running_worker("benchmarks.bare_engine", materials.bundle, clear) as engine,
        running_worker("benchmarks.hub_per_window", materials.yamnet, clear) as hub,
    ):
        yield Yardsticks(engine, hub)


def _try(case: Case, bundle: Path, yardsticks: Yardsticks, lengths: Lengths) -> Trial:
    before = yardsticks.measure(lengths.burst_seconds)
    plan = StationPlan(bundle, file_sources(case.paths, case.sources))
    station = watch_steady(plan, (), lengths.settle_seconds, lengths.window_seconds)
    station.check_complete()
    after = yardsticks.measure(lengths.burst_seconds)
    engine, hub = ((first + last) / 2 for first, last in zip(before, after, strict=True))
    return Trial(station.core_ms, engine, hub, station.batch_patches)


def _yardstick_figures(trials: list[Trial]) -> list[Figure]:
    return [
        Figure(
            PART,
            "bare engine, ready patches in batches of 16, one thread",
            _UNIT,
            tuple(trial.engine for trial in trials),
        ),
        Figure(PART, "TF Hub, one call a window", _UNIT, tuple(trial.hub for trial in trials)),
    ]


def _case_figures(case: Case, trials: list[Trial]) -> list[Figure]:
    to_engine = tuple(trial.station / trial.engine for trial in trials)
    of_hub = tuple(trial.hub / trial.station for trial in trials)
    batch = tuple(trial.batch_patches for trial in trials)
    return [
        Figure(PART, f"station, {case.what}", _UNIT, tuple(trial.station for trial in trials)),
        Figure(PART, f"station / bare engine, {case.what}", "x", to_engine, case.engine_aim),
        Figure(PART, f"TF Hub / station, {case.what}", "x", of_hub, case.hub_aim),
        Figure(PART, f"mean batch, {case.what}", "patches", batch),
    ]
