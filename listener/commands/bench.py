"""`listener bench`: how many sources this machine can handle with a bundle, and with which settings.

Engines and batch sizes are measured in turn, then the best of them with a longer patch hop.
"""

import json
import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from listener.adapters import installed_kinds, open_engine
from listener.commands.common import choose_bundle
from listener.commands.load_test import Load, measure_load
from listener.config.engine import DetectionSettings, EngineKind, EngineSettings
from listener.config.station import Config
from listener.detection.bundle import Bundle, BundleError, read_bundle
from listener.engines.engine import Engine, EngineError
from listener.pipeline.plan import DetectionPlan
from listener.planning import choose_groups, make_detection_plan
from listener.process import ExitCode

_ROUNDS = 3  # measurements of each setup; their medians count
_BATCH_SIZES = (1, 4, 16)  # LiteRT prepares powers of 4
_SAME_SPEED_RATIO = 1.05  # a smaller difference is noise
_USABLE_SHARE = 0.7  # of full load; the rest is for bursts, the broker, clips and other programs
_DEFAULT_SOURCES = 64  # enough for full batches
_EVENT_ID_NAMESPACE = "bench"


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings that bench chooses between."""

    engine: EngineKind
    max_batch: int
    patch_hop_seconds: float


@dataclass(frozen=True, slots=True)
class BenchRun:
    """Medians of a setup: sources in real time, and core-milliseconds per second of one source's audio."""

    setup: Setup
    sources: float
    core_ms_per_second: float


@dataclass(frozen=True, slots=True)
class Advice:
    """The setup to use, and how many sources it can handle with headroom."""

    setup: Setup
    sources: int

    def carries(self, wanted: int | None) -> bool:
        """Whether it can handle this many sources; None means that any number will do."""
        return wanted is None or self.sources >= wanted


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
    """Measure and print; FAILED if the machine cannot handle the wanted number of sources.

    Raises:
        ConfigError: no bundle is given, or the config does not fit it.
        BundleError: the bundle cannot be used.
    """
    path = choose_bundle(bundle, config)
    if wanted is None and config is not None:
        wanted = len(config.sources)
    bench = Bench(read_bundle(path), config, wanted or _DEFAULT_SOURCES, seconds, load_of)
    runs = bench.run()
    advice = advise(runs, wanted)
    show = _print_json if as_json else _print_table
    show(bench, runs, advice)
    return ExitCode.DONE if advice.carries(wanted) else ExitCode.FAILED


class Bench:
    """Measures one bundle on this machine; `refused` says why an engine was left out."""

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
        self._open_engine = cache(
            lambda kind, max_batch: open_engine(bundle, self._engine_settings(kind, max_batch))
        )

    def run(self) -> list[BenchRun]:
        """All engines and batch sizes at the usual patch hop, then the best at a longer one."""
        params = self.bundle.manifest.features
        hop_seconds = self._detection.patch_hop_seconds or params.patch_hop_seconds
        setups = [
            Setup(kind, batch, hop_seconds)
            for kind in self._usable_kinds()
            for batch in batch_sizes(self.sources)
        ]
        runs = measure_setups(setups, self._measure)
        longer = longer_hop(best_of(runs).setup, params.patch_seconds)
        return runs if longer is None else [*runs, *measure_setups([longer], self._measure)]

    def _usable_kinds(self) -> list[EngineKind]:
        usable: list[EngineKind] = []
        for kind in installed_kinds():
            try:
                self._open_engine(kind, 1)
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
        plan = make_detection_plan(self.bundle, detection, _EVENT_ID_NAMESPACE, groups=self._groups)
        engine = self._open_engine(setup.engine, setup.max_batch)
        settings = self._engine_settings(setup.engine, setup.max_batch)
        return self._load_of(engine, plan, settings, self.sources, self._seconds)

    def _engine_settings(self, kind: EngineKind, max_batch: int) -> EngineSettings:
        return self._settings.model_copy(update={"kind": kind, "max_batch": max_batch})


def batch_sizes(sources: int) -> tuple[int, ...]:
    """The sizes to measure: a batch never has more patches than there are sources."""
    return tuple(size for size in _BATCH_SIZES if size <= sources)


def measure_setups(setups: Sequence[Setup], measure: Callable[[Setup], Load]) -> list[BenchRun]:
    """Medians of several rounds; the setups take turns, so that drift affects all of them alike."""
    loads: dict[Setup, list[Load]] = {setup: [] for setup in setups}
    for _ in range(_ROUNDS):
        for setup in setups:
            loads[setup].append(measure(setup))
    return [
        BenchRun(
            setup,
            statistics.median(load.sources for load in measured),
            statistics.median(load.core_ms_per_second for load in measured),
        )
        for setup, measured in loads.items()
    ]


def best_of(runs: Sequence[BenchRun]) -> BenchRun:
    """The first that is as fast as the fastest, or nearly so."""
    most = max(run.sources for run in runs)
    return next(run for run in runs if run.sources * _SAME_SPEED_RATIO >= most)


def longer_hop(setup: Setup, patch_seconds: float) -> Setup | None:
    """The setup with twice the patch hop; None if patches would then leave gaps."""
    hop_seconds = 2 * setup.patch_hop_seconds
    return replace(setup, patch_hop_seconds=hop_seconds) if hop_seconds <= patch_seconds else None


def advise(runs: Sequence[BenchRun], wanted: int | None) -> Advice:
    """The best setup with the shortest patch hop that can handle the wanted number of sources."""
    advices = []
    for hop_seconds in sorted({run.setup.patch_hop_seconds for run in runs}):
        best = best_of([run for run in runs if run.setup.patch_hop_seconds == hop_seconds])
        advices.append(Advice(best.setup, int(_USABLE_SHARE * best.sources)))
    return next((advice for advice in advices if advice.carries(wanted)), advices[-1])


def _print_json(bench: Bench, runs: Iterable[BenchRun], advice: Advice) -> None:
    document = {
        "bundle": bench.bundle.id,
        "cores": len(os.sched_getaffinity(0)),
        "sources_tried": bench.sources,
        "trials": [
            asdict(run.setup)
            | {
                "sources": round(run.sources, 1),
                "core_ms_per_second": round(run.core_ms_per_second, 3),
            }
            for run in runs
        ],
        "refused": bench.refused,
        "use": asdict(advice.setup) | {"sources": advice.sources},
    }
    typer.echo(json.dumps(document))


def _print_table(bench: Bench, runs: Iterable[BenchRun], advice: Advice) -> None:
    table = Table("engine", "max_batch", "patch hop", "sources at full load", "core-ms a second")
    for run in runs:
        setup = run.setup
        hop, sources = f"{setup.patch_hop_seconds:g} s", f"{run.sources:.0f}"
        cost = f"{run.core_ms_per_second:.2f}"
        table.add_row(setup.engine, str(setup.max_batch), hop, sources, cost)
    Console(soft_wrap=True).print(table)
    for kind, reason in bench.refused.items():
        typer.echo(f"{kind} left out: {reason}")
    cores, setup = len(os.sched_getaffinity(0)), advice.setup
    typer.echo(
        f"{bench.bundle.id} on {cores} core(s): up to {advice.sources} source(s), with headroom, by\n"
        f'engine.kind = "{setup.engine}"\n'
        f"engine.max_batch = {setup.max_batch}\n"
        f"detection.patch_hop_seconds = {setup.patch_hop_seconds:g}"
    )
