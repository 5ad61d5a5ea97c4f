"""`trainer shrink`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.session import session
from trainer.config import WantedForm


def shrink(
    bundle: Annotated[Path, typer.Argument(help="The bundle, with its saved_model/; it stays.")],
    data: Annotated[
        list[Path],
        typer.Option(help="Labelled clips that it never saw; may be repeated."),
    ],
    out: Annotated[Path, typer.Option(help="Where the smaller bundle goes; an older one goes.")],
    form: Annotated[
        WantedForm,
        typer.Option(help="best: the smallest that loses at most half a point."),
    ] = "best",
    folds: Annotated[
        list[int] | None,
        typer.Option(help="Only this fold; may be repeated. Default: all it never saw a clip of."),
    ] = None,
) -> None:
    """Make a smaller form of a bundle's model, if it is as good; the bundle's path goes to stdout."""
    with session():
        from listener.detection.bundle import read_bundle  # noqa: PLC0415 - the others: TensorFlow
        from trainer.model.progress import clips_bar  # noqa: PLC0415
        from trainer.quantisation.shrink import ShrinkRequest, shrink_bundle  # noqa: PLC0415

        request = ShrinkRequest(read_bundle(bundle), tuple(data), out, form, tuple(folds or ()))
        with clips_bar() as report:
            made = shrink_bundle(request, report)
    typer.echo(made.path)
