"""`python -m benchmarks [PART...]`: measure and print one table."""

from __future__ import annotations

import dataclasses
import logging
import sys
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import cold_start, cost, growth, latency, memory, one_source, peers, scale
from benchmarks.figures import Figure
from benchmarks.growth_picture import draw_growth
from benchmarks.lengths import FULL, QUICK, Lengths
from benchmarks.machine import describe_machine
from benchmarks.materials import Materials, MaterialsError, find_materials
from benchmarks.tables import as_json, as_markdown, as_table


class Part(StrEnum):
    """What can be measured by itself."""

    COST = "cost"
    COLD_START = "cold-start"
    MEMORY = "memory"
    LATENCY = "latency"
    SCALE = "scale"
    GROWTH = "growth"
    ONE_SOURCE = "one-source"
    PEERS = "peers"


_MEASURES: dict[Part, Callable[[Materials, Lengths, Path], list[Figure]]] = {
    Part.COST: cost.measure_cost,
    Part.COLD_START: cold_start.measure_cold_start,
    Part.MEMORY: memory.measure_memory,
    Part.LATENCY: latency.measure_latency,
    Part.SCALE: scale.measure_scale,
    Part.GROWTH: growth.measure_growth,
    Part.ONE_SOURCE: one_source.measure_one_source,
    Part.PEERS: peers.measure_peers,
}
_USUAL = (Part.COST, Part.COLD_START, Part.MEMORY, Part.LATENCY)  # eight minutes
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_TABLE_COLUMNS = 140  # at least, so that no figure's name is folded into a file or pipe


@app.command()
def main(
    parts: Annotated[
        list[Part] | None, typer.Argument(help=f"Default: {', '.join(_USUAL)}.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A short look: 90 seconds.")] = False,
    repeats: Annotated[int | None, typer.Option(min=1, help="Of each cost.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table here, too.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write every value here.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw how cost grows here, a PNG.")] = None,
) -> None:
    """Measure what a station costs and how fast it answers; print one table."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    if picture is not None and Part.GROWTH not in (parts or ()):
        raise typer.BadParameter("expected the part growth beside it", param_hint="--picture")
    machine = describe_machine()
    figures = _measure(parts or list(_USUAL), _lengths(quick=quick, repeats=repeats))
    for path, text in ((markdown, as_markdown), (json, as_json)):
        if path is not None:
            path.write_text(text(figures, machine), encoding="utf-8")
    if picture is not None:
        draw_growth(figures, picture)
    width = max(_TABLE_COLUMNS, Console().width)
    Console(width=width).print(as_table(figures, machine))


def _lengths(*, quick: bool, repeats: int | None) -> Lengths:
    lengths = QUICK if quick else FULL
    return lengths if repeats is None else dataclasses.replace(lengths, repeats=repeats)


def _measure(parts: list[Part], lengths: Lengths) -> list[Figure]:
    try:
        materials = find_materials()
    except MaterialsError as error:
        typer.echo(f"benchmarks: {error}", err=True)
        raise typer.Exit(2) from error
    figures = []
    with tempfile.TemporaryDirectory() as directory:
        for part in parts:
            figures += _MEASURES[part](materials, lengths, Path(directory))
    return figures


if __name__ == "__main__":
    app()
