"""`trainer evaluate` and `trainer calibrate`."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.common import session
from trainer.config import Objective


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="The bundle.")],
    data: Annotated[
        list[Path],
        typer.Option(help="Labelled clips that it never saw; may be repeated."),
    ],
    folds: Annotated[
        list[int] | None,
        typer.Option(
            help="Only this fold; may be repeated. Default: all without a clip that it saw."
        ),
    ] = None,
    ambient: Annotated[
        list[Path] | None,
        typer.Option(help="Audio, or folders of it, with none of the labels; may be repeated."),
    ] = None,
    robust: Annotated[
        bool,
        typer.Option(
            "--robust/--no-robust",
            help="Also in noise, reverb, at other levels and bandwidths: takes twenty times as long.",
        ),
    ] = True,
    allow_seen: Annotated[
        bool,
        typer.Option(
            "--allow-seen", help="Also on clips that it was trained on; the report says so."
        ),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="A folder for the report. Default: in the bundle.")
    ] = None,
) -> None:
    """Evaluate a bundle on data it never saw; prints the path of the report's page."""
    with session():
        from listener.detection.bundle import read_bundle  # noqa: PLC0415 - reads audio, draws
        from trainer.formatting import main_figures  # noqa: PLC0415
        from trainer.report.evaluation import EvaluationRequest, evaluate_on_data  # noqa: PLC0415
        from trainer.terminal import clips_bar, show_table  # noqa: PLC0415

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
        show_table(("what", "figure"), main_figures(evaluated.context.summary()))
    typer.echo(evaluated.page)


def calibrate(
    bundle: Annotated[Path, typer.Argument(help="The bundle that gets the policies.")],
    false_alarms_per_day: Annotated[
        float, typer.Option(min=0.001, help="The budget, of all labels together.")
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Labelled clips that it was not trained on; may be repeated. "
            "Default: the few that the bundle holds back."
        ),
    ] = None,
    ambient: Annotated[
        list[Path] | None,
        typer.Option(help="Audio, or folders of it, with none of the labels; may be repeated."),
    ] = None,
    generated_ambient: Annotated[
        float,
        typer.Option(
            min=0.0, help="Minutes of generated noise, in place of --ambient. Not a room!"
        ),
    ] = 0.0,
    folds: Annotated[
        list[int] | None,
        typer.Option(help="Only this fold; may be repeated. Default: all it was not trained on."),
    ] = None,
    objective: Annotated[
        Objective,
        typer.Option(
            help="What to maximise within the budget; recall accepts false alarms on --data."
        ),
    ] = "f1",
    least_recall: Annotated[
        float,
        typer.Option(
            min=0.0, max=100.0, help="Percent of a label's sounds; with less nothing is changed."
        ),
    ] = 50.0,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the bundle goes. Default: the bundle is changed in place."),
    ] = None,
) -> None:
    """Choose when scores become events, or refuse a budget that leaves a label deaf; prints the path."""
    if ambient and generated_ambient:
        raise typer.BadParameter("expected --ambient or --generated-ambient, got both")
    with session():
        from listener.detection.bundle import read_bundle  # noqa: PLC0415 - reads audio, searches
        from trainer.evaluation.calibration import Budget  # noqa: PLC0415
        from trainer.report import calibration  # noqa: PLC0415
        from trainer.terminal import clips_bar  # noqa: PLC0415

        request = calibration.CalibrationRequest(
            bundle=read_bundle(bundle),
            data=tuple(data or ()),
            budget=Budget(false_alarms_per_day, objective, least_recall / 100.0),
            ambient=tuple(ambient or ()),
            generated_minutes=generated_ambient,
            folds=tuple(folds or ()),
        )
        with clips_bar() as report:
            found = calibration.calibrate_from_data(request, report)
        calibration.show_calibration(found.calibration)
        calibration.write_policies(request.bundle, found.calibration, found.files, out)
    typer.echo(out or bundle)
