"""`trainer evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.session import session


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="The bundle.")],
    data: Annotated[
        list[Path],
        typer.Option(help="Labelled clips that it never saw; may be repeated."),
    ],
    folds: Annotated[
        list[int] | None,
        typer.Option(help="Only this fold; may be repeated. Default: all it never saw a clip of."),
    ] = None,
    ambient: Annotated[
        list[Path] | None,
        typer.Option(help="Audio, or folders of it, with none of the labels; may be repeated."),
    ] = None,
    robust: Annotated[
        bool,
        typer.Option(
            "--robust/--no-robust",
            help="Also in noise, reverb and at other levels: fifteen times as long.",
        ),
    ] = True,
    allow_seen: Annotated[
        bool,
        typer.Option("--allow-seen", help="Also on clips that it learnt from; the report says so."),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="A folder for the report. Default: in the bundle.")
    ] = None,
) -> None:
    """Judge a bundle on data it never saw; the path of the report's page goes to stdout."""
    with session():
        from listener.detection.bundle import read_bundle  # noqa: PLC0415 - reads audio, draws
        from trainer.model.progress import clips_bar  # noqa: PLC0415
        from trainer.report.evaluate import EvaluationRequest, evaluate_on_data  # noqa: PLC0415
        from trainer.report.figures import summarise  # noqa: PLC0415
        from trainer.report.terminal import show_figures  # noqa: PLC0415

        request = EvaluationRequest(
            bundle=read_bundle(bundle),
            data=tuple(data),
            folds=tuple(folds or ()),
            ambient=tuple(ambient or ()),
            robust=robust,
            allow_seen=allow_seen,
            report=report,
        )
        with clips_bar() as on_clip:
            evaluated = evaluate_on_data(request, on_clip)
        show_figures(summarise(evaluated.matter.evaluation, evaluated.matter.occasion))
    typer.echo(evaluated.page)
