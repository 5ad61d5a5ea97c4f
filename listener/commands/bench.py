"""`listener bench`: how many sources this machine carries with a bundle, and by which settings."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from listener.adapters import installed_kinds, open_engine
from listener.commands.load_test import Load, measure_load
from listener.config.engine import DetectionSettings, EngineKind, EngineSettings
from listener.config.station import Config, ConfigError
from listener.detection.bundle import Bundle, BundleError, read_bundle
from listener.engines.engine import Engine, EngineError
from listener.pipeline.plan import DetectionPlan
from listener.planning import choose_groups, make_detection_plan
from listener.process import ExitCode

ROUNDS = 3  # of each; their medians count
_BATCHES = (1, 4, 16)  # LiteRT prepares powers of 4
_ALIKE = 1.05  # speeds that differ by less are noise
_HEADROOM = (
    0.7  # of what the machine can do; the rest is for bursts, the broker, clips and other programs
)
_SOURCES = 64  # where nobody says how many are wanted: the cost of each is that of many
_NAMESPACE = "bench"


# What `listener bench` tries: engines and batch sizes in turn, then a longer patch hop with the best.


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings that bench chooses between."""

    engine: EngineKind
    max_batch: int
    patch_hop_seconds: float


@dataclass(frozen=True, slots=True)
class BenchRun:
    """Medians of a setup: sources at the speed of time, core-milliseconds a second of audio of one."""

    setup: Setup
    sources: float
    core_ms_per_second: float


@dataclass(frozen=True, slots=True)
class Advice:
    """The setup to use, and how many sources it carries with room to spare."""

    setup: Setup
    sources: int

    def carries(self, wanted: int | None) -> bool:
        """Whether so many are not too many; None are wanted in particular."""
        return wanted is None or self.sources >= wanted


Measure = Callable[[Setup], Load]


def batch_sizes(sources: int) -> tuple[int, ...]:
    """Those worth a try: a batch never has more patches than there are sources."""
    return tuple(size for size in _BATCHES if size <= sources)


def run_trials(setups: Sequence[Setup], measure: Measure) -> list[BenchRun]:
    """Every setup ROUNDS times in turn, so that a drift of the machine meets them all."""
    loads: dict[Setup, list[Load]] = {setup: [] for setup in setups}
    for _ in range(ROUNDS):
        for setup in setups:
            loads[setup].append(measure(setup))
    return [_trial(setup, each) for setup, each in loads.items()]


def _trial(setup: Setup, loads: Sequence[Load]) -> BenchRun:
    return BenchRun(
        setup,
        statistics.median(load.sources for load in loads),
        statistics.median(load.core_ms_per_second for load in loads),
    )


def best_of(trials: Sequence[BenchRun]) -> BenchRun:
    """The first that is as fast as the fastest, or nearly so."""
    most = max(trial.sources for trial in trials)
    return next(trial for trial in trials if trial.sources * _ALIKE >= most)


def longer_hop(setup: Setup, patch_seconds: float) -> Setup | None:
    """The setup with twice the patch hop; None where sound would fall between patches."""
    hop_seconds = 2 * setup.patch_hop_seconds
    return replace(setup, patch_hop_seconds=hop_seconds) if hop_seconds <= patch_seconds else None


def advise(trials: Sequence[BenchRun], wanted: int | None) -> Advice:
    """The best at the first trial's hop, unless only another hop carries what is wanted."""
    by_hop: Mapping[float, list[BenchRun]] = {
        hop: [trial for trial in trials if trial.setup.patch_hop_seconds == hop]
        for hop in sorted({trial.setup.patch_hop_seconds for trial in trials})
    }
    advices = [_advice(best_of(each)) for each in by_hop.values()]
    enough = [advice for advice in advices if advice.carries(wanted)]
    return enough[0] if enough else advices[-1]


def _advice(trial: BenchRun) -> Advice:
    return Advice(trial.setup, int(_HEADROOM * trial.sources))


LoadMeter = Callable[[Engine, DetectionPlan, EngineSettings, int, float], Load]
"""As `measure_load`."""


def bench_machine(
    bundle: Path | None,
    config: Config | None,
    wanted: int | None,
    seconds: float,
    *,
    as_json: bool,
    load_of: LoadMeter = measure_load,
) -> ExitCode:
    """Measure and print; FAILED if the sources that are wanted are too many.

    Raises:
        ConfigError: no bundle is named, or the config does not fit it.
        BundleError: it cannot be used.
    """
    path = bundle or (config.bundle if config else None)
    if path is None:
        raise ConfigError("expected a bundle: give --bundle, --config or EARSHOT_BUNDLE")
    if wanted is None and config is not None:
        wanted = len(config.sources)
    bench = Bench(read_bundle(path), config, wanted or _SOURCES, seconds, load_of)
    trials = bench.run()
    advice = advise(trials, wanted)
    show = _print_json if as_json else _print_table
    show(bench, trials, advice)
    return ExitCode.DONE if advice.carries(wanted) else ExitCode.FAILED


class Bench:
    """The trials of one bundle on this machine; `refused` says why an engine is not among them."""

    def __init__(
        self,
        bundle: Bundle,
        config: Config | None,
        sources: int,
        seconds: float,
        load_of: LoadMeter,
    ) -> None:
        self.bundle = bundle
        self.sources = sources
        self.refused: dict[EngineKind, str] = {}
        self._seconds, self._load_of = seconds, load_of
        self._settings = config.engine if config else EngineSettings()
        self._detection = config.detection if config else DetectionSettings()
        self._groups = choose_groups(bundle, config) if config else ()
        self._open_once = cache(self._open)

    def run(self) -> list[BenchRun]:
        """Engines and batches at the hop of the bundle or the config, then the best at a longer one."""
        hop_seconds = self._detection.patch_hop_seconds
        params = self.bundle.manifest.features
        setups = [
            Setup(kind, batch, hop_seconds or params.patch_hop_seconds)
            for kind in self._usable_kinds()
            for batch in batch_sizes(self.sources)
        ]
        trials = run_trials(setups, self._measure)
        longer = longer_hop(best_of(trials).setup, params.patch_seconds)
        return trials if longer is None else [*trials, *run_trials([longer], self._measure)]

    def _usable_kinds(self) -> list[EngineKind]:
        usable: list[EngineKind] = []
        for kind in installed_kinds():
            try:
                self._open_once(kind, 1)
            except (BundleError, EngineError) as error:
                self.refused[kind] = " ".join(str(error).split())
            else:
                usable.append(kind)
        if not usable:
            raise BundleError("; ".join(self.refused.values()))
        return usable

    def _measure(self, setup: Setup) -> Load:
        detection = self._detection.model_copy(
            update={"patch_hop_seconds": setup.patch_hop_seconds}
        )
        plan = make_detection_plan(self.bundle, detection, _NAMESPACE, groups=self._groups)
        engine = self._open_once(setup.engine, setup.max_batch)
        settings = self._engine_settings(setup.engine, setup.max_batch)
        return self._load_of(engine, plan, settings, self.sources, self._seconds)

    def _open(self, kind: EngineKind, max_batch: int) -> Engine:
        return open_engine(self.bundle, self._engine_settings(kind, max_batch))

    def _engine_settings(self, kind: EngineKind, max_batch: int) -> EngineSettings:
        return self._settings.model_copy(update={"kind": kind, "max_batch": max_batch})


def _print_json(bench: Bench, trials: Iterable[BenchRun], advice: Advice) -> None:
    document = {
        "bundle": bench.bundle.id,
        "cores": len(os.sched_getaffinity(0)),
        "sources_tried": bench.sources,
        "trials": [
            asdict(trial.setup)
            | {
                "sources": round(trial.sources, 1),
                "core_ms_per_second": round(trial.core_ms_per_second, 3),
            }
            for trial in trials
        ],
        "refused": bench.refused,
        "use": asdict(advice.setup) | {"sources": advice.sources},
    }
    typer.echo(json.dumps(document))


def _print_table(bench: Bench, trials: Iterable[BenchRun], advice: Advice) -> None:
    table = Table("engine", "max_batch", "patch hop", "sources at full load", "core-ms a second")
    for trial in trials:
        setup = trial.setup
        table.add_row(
            setup.engine,
            str(setup.max_batch),
            f"{setup.patch_hop_seconds:g} s",
            f"{trial.sources:.0f}",
            f"{trial.core_ms_per_second:.2f}",
        )
    Console(soft_wrap=True).print(table)
    for line in _words(bench, advice):
        typer.echo(line)


def _words(bench: Bench, advice: Advice) -> list[str]:
    setup = advice.setup
    cores = len(os.sched_getaffinity(0))
    refused = [f"{kind} left out: {reason}" for kind, reason in bench.refused.items()]
    return [
        *refused,
        f"{bench.bundle.id} on {cores} core(s): up to {advice.sources} source(s), with room to spare, by",
        f'engine.kind = "{setup.engine}"',
        f"engine.max_batch = {setup.max_batch}",
        f"detection.patch_hop_seconds = {setup.patch_hop_seconds:g}",
    ]
