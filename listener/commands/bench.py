"""`listener bench`: how many sources this machine carries with a bundle, and by which settings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from listener.assembly import installed_kinds, make_detection_plan, open_engine
from listener.capacity import Load, measure_load
from listener.commands.bench_trials import (
    Advice,
    Setup,
    Trial,
    advise,
    batch_sizes,
    best_of,
    longer_hop,
    run_trials,
)
from listener.config.engine import DetectionSettings, EngineKind, EngineSettings
from listener.config.station import Config, ConfigError
from listener.detection.bundle import Bundle, BundleError, read_bundle
from listener.engines.engine import Engine, EngineError
from listener.exit_codes import ExitCode
from listener.label_choice import choose_groups
from listener.pipeline.plan import DetectionPlan

_SOURCES = 64  # where nobody says how many are wanted: the cost of each is that of many
_NAMESPACE = "bench"

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

    def run(self) -> list[Trial]:
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


def _print_json(bench: Bench, trials: Iterable[Trial], advice: Advice) -> None:
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


def _print_table(bench: Bench, trials: Iterable[Trial], advice: Advice) -> None:
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
