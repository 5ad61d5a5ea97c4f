"""`python -m benchmarks.learning [CLASS...] [--tested FOLD]`: a class taught by five clips; one table."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.machine import describe_machine
from benchmarks.materials import MaterialsError, find_materials
from benchmarks.tables import as_table

_TABLE_COLUMNS = 140  # at least, so that no figure's name is folded into a file or pipe
_CLASSES = ("rooster", "chainsaw")


def main(
    classes: Annotated[
        list[str] | None, typer.Argument(help="Left out of the base. Default: rooster, chainsaw.")
    ] = None,
    tested: Annotated[
        int, typer.Option(min=1, max=5, help="Fold; the three after it are taught, in a ring.")
    ] = 5,
) -> None:
    """Measure how well `trainer retrain --new-classes` learns from five clips."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from benchmarks.learning.new_class import (  # noqa: PLC0415 - after the line above
        Folds,
        measure_new_class,
    )

    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    try:
        materials = find_materials()
    except MaterialsError as error:
        typer.echo(f"benchmarks: {error}", err=True)
        raise typer.Exit(2) from error
    figures = []
    for name in classes or _CLASSES:
        typer.echo(f"measuring {name}", err=True)
        with tempfile.TemporaryDirectory(prefix="earshot-learning-") as workspace:
            figures += measure_new_class(materials, name, Folds(tested), Path(workspace))
    width = max(_TABLE_COLUMNS, Console().width)
    Console(width=width).print(as_table(figures, describe_machine()))


if __name__ == "__main__":
    typer.run(main)
