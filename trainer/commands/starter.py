"""`trainer starter`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.session import session


def starter(
    esc10: Annotated[Path, typer.Option(help="The folder with esc10.csv and audio/.")],
    teacher: Annotated[Path, typer.Option(help="YAMNet's bundle, of `trainer backbone`.")],
    out: Annotated[Path, typer.Option(help="Where the bundle goes; an older one is replaced.")],
    strips: Annotated[int, typer.Option(min=10, help="Strips of 5.3 s to learn from.")] = 14_000,
    epochs: Annotated[int, typer.Option(min=1, help="Times that each is learnt from.")] = 6,
    minutes: Annotated[int, typer.Option(min=1, help="Audio that is measured on.")] = 120,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bundle.")] = 0,
) -> None:
    """Train the bundle that ships with the listener; its path goes to stdout."""
    with session():
        from trainer.starter.make import Recipe, make_starter_bundle  # noqa: PLC0415 - TensorFlow

        recipe = Recipe(strip_count=strips, epochs=epochs, minutes=minutes, seed=seed)
        bundle = make_starter_bundle(esc10, teacher, out, recipe)
    typer.echo(bundle.path)
