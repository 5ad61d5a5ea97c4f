"""`trainer export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.session import session


def export(
    bundle: Annotated[Path, typer.Argument(help="The bundle; it stays.")],
    serving: Annotated[
        Path,
        typer.Option(
            help="The model repository of Triton, OpenVINO Model Server or MLServer; made when absent, "
            "and the models that are in it stay."
        ),
    ],
) -> None:
    """Put a bundle's model where a model server finds it; the folder of its version goes to stdout."""
    with session():
        from listener.detection.bundle import read_bundle  # noqa: PLC0415 - the others: TensorFlow
        from trainer.export.model_repository import write_to_repository  # noqa: PLC0415

        made = write_to_repository(read_bundle(bundle), serving)
    typer.echo(made)
