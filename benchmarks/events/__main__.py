"""`python -m benchmarks.events`: PSDS and collar F1 of scenes, the mean of three seeds."""

from __future__ import annotations

import logging
import os
import sys
from enum import StrEnum
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is imported, below

from benchmarks.events.measure import Sizes, measure_seed
from benchmarks.events.recordings import Material, read_material
from benchmarks.materials import MaterialsError
from listener.detection.params import FeatureParams
from trainer.evaluation.event_metrics import EventMetrics
from trainer.evaluation.scenes import ScenePlan
from trainer.model.backbones import KerasBackbone, load_timed_yamnet
from trainer.model.yamnet import load_yamnet_embedder


class Net(StrEnum):
    """What the linear head stands on."""

    STEPS = "steps"
    EMBEDDING = "embedding"


_READERS = {Net.STEPS: load_timed_yamnet, Net.EMBEDDING: load_yamnet_embedder}
_QUICK = Sizes(train=40, validation=15, test=15)
_COLUMNS = ("PSDS1", "PSDS2", "F1 0.2 s", "F1 0.5 s", "F1 1 s", "intersection F1")
_TABLE_COLUMNS = 170  # at least, so that the seeds' values stay on one line in a file or pipe
_AIMS = ("0.60", "", "", "0.55", "", "")


def main(
    nets: Annotated[list[Net] | None, typer.Argument(help="Default: steps.")] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=5, help="1, 2, ...: also the fold of the test.")
    ] = 3,
    hop: Annotated[float, typer.Option(help="Seconds from one patch to the next.")] = 0.12,
    seconds: Annotated[
        float, typer.Option(help="Length of the scenes of validation and test.")
    ] = 30.0,
    pause: Annotated[
        float, typer.Option(help="Longest pause inside one event of a recording, seconds.")
    ] = 0.5,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the scenes.")] = False,
) -> None:
    """Train a head on scenes of three folds, tune policies on a fourth, measure on the fifth."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        material = read_material()
    except MaterialsError as error:
        typer.echo(f"benchmarks: {error}", err=True)
        raise typer.Exit(2) from error
    plan = ScenePlan(seconds=seconds, pause_seconds=pause)
    sizes = _QUICK if quick else Sizes()
    table = _empty_table(seeds)
    for net in nets or [Net.STEPS]:
        _add_rows(table, net, _measure(material, net, hop, plan, sizes, seeds))
    Console(width=max(_TABLE_COLUMNS, Console().width)).print(table)


def _measure(
    material: Material, net: Net, hop: float, plan: ScenePlan, sizes: Sizes, seeds: int
) -> list[dict[str, EventMetrics]]:
    features = FeatureParams(patch_hop_seconds=hop)
    backbone = KerasBackbone(material.yamnet, _READERS[net], features)
    return [measure_seed(material, backbone, plan, sizes, seed) for seed in range(1, seeds + 1)]


def _empty_table(seeds: int) -> Table:
    table = Table(
        caption=f"mean of {seeds} seeds, then each; policies tuned on validation scenes only"
    )
    for column in ("net", "decoding", *_COLUMNS):
        table.add_column(column)
    table.add_row("aim", "", *_AIMS, end_section=True)
    return table


def _add_rows(table: Table, net: Net, measured: list[dict[str, EventMetrics]]) -> None:
    for decoding in measured[0]:
        values = np.array([_values(each[decoding]) for each in measured])
        means = (f"{mean:.3f}" for mean in values.mean(axis=0))
        table.add_row(net.value, decoding, *means)
        each = (" ".join(f"{value:.3f}" for value in column) for column in values.T)
        table.add_row("", "", *each, style="dim", end_section=True)


def _values(metrics: EventMetrics) -> tuple[float, ...]:
    """In the order of the columns; what nobody found and nobody heard is 0."""
    scores = [*metrics.collar.values(), metrics.intersection]
    return (metrics.psds1, metrics.psds2, *(score.macro_f1 or 0.0 for score in scores))


if __name__ == "__main__":
    typer.run(main)
