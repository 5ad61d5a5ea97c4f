"""`python -m benchmarks.training [PART...]`: train as `trainer fit` does, print one table."""

from __future__ import annotations

import logging
import os
import sys
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.machine import describe_machine
from benchmarks.materials import MaterialsError
from benchmarks.tables import as_table

_TABLE_COLUMNS = 140  # at least, so that no figure's name is folded into a file or pipe


class Part(StrEnum):
    """What can be measured by itself."""

    NOISE_COLOURS = "noise-colours"
    DOG_ROOSTER = "dog-rooster"
    ESC10 = "esc10"
    FEW_SHOT = "few-shot"
    SNR = "snr"
    FIT = "fit"


def main(
    parts: Annotated[list[Part] | None, typer.Argument(help="Default: all.")] = None,
) -> None:
    """Measure how well the defaults of `trainer fit` learn; embeddings are kept for the next time."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from benchmarks.training import (  # noqa: PLC0415 - after the line above
        dog_rooster,
        esc10,
        fit_cost,
        noise_colours,
    )
    from benchmarks.training.school import open_school  # noqa: PLC0415

    measures = {
        Part.NOISE_COLOURS: noise_colours.measure_noise_colours,
        Part.DOG_ROOSTER: dog_rooster.measure_dog_rooster,
        Part.ESC10: esc10.measure_folds,
        Part.FEW_SHOT: esc10.measure_few_shots,
        Part.SNR: esc10.measure_noise,
        Part.FIT: fit_cost.measure_fit_cost,
    }
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    try:
        school = open_school()
    except MaterialsError as error:
        typer.echo(f"benchmarks: {error}", err=True)
        raise typer.Exit(2) from error
    figures = []
    for part in parts or list(Part):
        typer.echo(f"measuring {part.value}", err=True)
        figures += measures[part](school)
    width = max(_TABLE_COLUMNS, Console().width)
    Console(width=width).print(as_table(figures, describe_machine()))


if __name__ == "__main__":
    typer.run(main)
