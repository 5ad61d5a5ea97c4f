"""`trainer rollback`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.session import session


def rollback(
    models: Annotated[
        Path, typer.Option(help="The station's folder of bundles, with the link `current`.")
    ],
) -> None:
    """Put the bundle before back in use; its path goes to stdout."""
    with session():
        from trainer.promotion.promote import roll_back  # noqa: PLC0415 - as the other commands

        bundle = roll_back(models)
    typer.echo(bundle.path)
