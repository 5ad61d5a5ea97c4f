"""`python -m benchmarks.world COMMAND`: fetch real audio, and judge bundles by it."""

from __future__ import annotations

import logging
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.figures import Figure
from benchmarks.machine import describe_machine
from benchmarks.tables import as_markdown, as_table
from benchmarks.world import datasets, negatives, thresholds
from benchmarks.world import taught as taught_parts
from benchmarks.world.fetch import FetchError, fetch
from benchmarks.world.packages import Part, read_world
from listener.detection.bundle import Bundle, read_bundle
from listener.starter import starter_bundle_path

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
_TABLE_COLUMNS = 150
RootArgument = Annotated[Path, typer.Argument(help="Where the packages are unpacked.")]
MarkdownOption = Annotated[bool, typer.Option("--markdown", help="A table for a document.")]


class PartName(StrEnum):
    """A part of the world; choose on train and tune, look at test once."""

    TRAIN = "train"
    TUNE = "tune"
    TEST = "test"

    @property
    def part(self) -> Part:
        """The same for the tables."""
        return "test" if self is PartName.TEST else "tune" if self is PartName.TUNE else "train"


PartOption = Annotated[PartName, typer.Option(help="Which packages.")]


@app.command(name="fetch")
def fetch_command(root: RootArgument) -> None:
    """Download and unpack all packages: 6 GB, with apt, nothing is installed."""
    try:
        fetch(read_world().package, root)
    except FetchError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@app.command()
def starter(
    root: RootArgument,
    bundle: Annotated[Path | None, typer.Option(help="Default: the one that ships.")] = None,
    esc10: Annotated[Path | None, typer.Option(help="ESC-10: its fold 5 has recordings.")] = None,
    part: PartOption = PartName.TEST,
    markdown: MarkdownOption = False,
) -> None:
    """False events of the starter in speech and music, and which recordings it hears."""
    from benchmarks.world.starter import measure_starter  # noqa: PLC0415 - imports TensorFlow

    measured = read_bundle(bundle or starter_bundle_path())
    _print(measure_starter(measured, read_world(), root, esc10, part.part), markdown)


@app.command()
def home(
    root: RootArgument,
    yamnet: Annotated[Path, typer.Option(help="YAMNet's bundle, from `trainer backbone`.")],
    part: PartOption = PartName.TEST,
    markdown: MarkdownOption = False,
) -> None:
    """YAMNet's groups of the home, beside a max score of 0.5."""
    from benchmarks.world.home import measure_home  # noqa: PLC0415 - imports TensorFlow

    _print(measure_home(read_bundle(yamnet), read_world(), root, part.part), markdown)


@app.command()
def taught(
    root: RootArgument,
    backbone: Annotated[Path, typer.Option(help="YAMNet's bundle, from `trainer backbone`.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Another table in ESC-50's form to judge by; may be repeated."),
    ] = None,
    part: Annotated[
        list[taught_parts.TaughtPart] | None, typer.Option(help="What to measure. Default: all.")
    ] = None,
    markdown: MarkdownOption = False,
) -> None:
    """`trainer fit` on data sets of the test part, beside logistic regression on patches."""
    world = read_world()
    tables = [
        datasets.compose(world, each, root, root / "datasets" / each.name) for each in world.dataset
    ]
    parts = part or list(taught_parts.TaughtPart)
    _print(taught_parts.measure(world, tables + list(data or ()), backbone, root, parts), markdown)


@app.command(name="thresholds")
def thresholds_command(
    root: RootArgument,
    yamnet: Annotated[Path, typer.Option(help="YAMNet's bundle, from `trainer backbone`.")],
) -> None:
    """Clips heard and wrong by each group of the home at each threshold, in the train and tune parts."""
    typer.echo(thresholds.describe(_open(yamnet), read_world(), root))


@app.command(name="negatives")
def negatives_command(
    root: RootArgument,
    backbone: Annotated[Path, typer.Option(help="YAMNet's bundle, from `trainer backbone`.")],
    out: Annotated[Path, typer.Option(help="The .npz that `trainer fit` learns to reject.")],
) -> None:
    """Embed a bank of negatives: a little of everything in the train part."""
    count, megabytes = negatives.write_bank(_open(backbone), read_world(), root, out)
    typer.echo(f"{out}: {count} patches, {megabytes:.1f} MB")


def _open(path: Path) -> Bundle:
    return read_bundle(path)


def _print(figures: list[Figure], markdown: bool) -> None:
    machine = describe_machine()
    if markdown:
        typer.echo(as_markdown(figures, machine))
    else:
        Console(width=max(_TABLE_COLUMNS, Console().width)).print(as_table(figures, machine))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    app()
