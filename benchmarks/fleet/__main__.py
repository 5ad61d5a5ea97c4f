"""`python -m benchmarks.fleet`: 100 stations on one Mosquitto, and what 10 000 would need."""

from __future__ import annotations

import dataclasses
import logging
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.fleet.costs import cost_figures, measure_costs
from benchmarks.fleet.plan import FULL
from benchmarks.fleet.rig import measure_rig
from benchmarks.machine import describe_machine
from benchmarks.tables import as_json, as_markdown, as_table

_TABLE_COLUMNS = 140
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    stations: Annotated[int, typer.Option(min=1, help="On one Mosquitto.")] = FULL.stations,
    fleet: Annotated[int, typer.Option(min=1, help="Stations of the arithmetic.")] = 10_000,
    markdown: Annotated[Path | None, typer.Option(help="Write the table here, too.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write every value here.")] = None,
) -> None:
    """Measure and reckon; exits with 1 if a station's outbox lost an event or its order."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    logging.getLogger("listener").setLevel(logging.ERROR)  # brokers are killed on purpose
    machine, plan = describe_machine(), dataclasses.replace(FULL, stations=stations)
    with tempfile.TemporaryDirectory(prefix="earshot-") as directory:
        figures = measure_rig(plan, Path(directory))
        figures += cost_figures(measure_costs(plan, Path(directory)), fleet)
    for path, text in ((markdown, as_markdown), (json, as_json)):
        if path is not None:
            path.write_text(text(figures, machine), encoding="utf-8")
    Console(width=max(_TABLE_COLUMNS, Console().width)).print(as_table(figures, machine))
    raise typer.Exit(int(any(figure.meets_aim is False for figure in figures)))


if __name__ == "__main__":
    app()
