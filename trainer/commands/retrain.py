"""`trainer retrain`."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.common import CacheOption, RequiredLabelsOption, session
from trainer.config import EMBEDDING_CACHE
from trainer.terminal import clips_bar


def retrain(
    clips: Annotated[Path, typer.Option(help="The station's clip store, with verdicts.")],
    base: Annotated[Path, typer.Option(help="The bundle to correct, with its saved_model/.")],
    out: Annotated[Path, typer.Option(help="Where the bundle goes; an older bundle is replaced.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="The base's training data; may be repeated. "
            "Default: the base's own outputs keep old classes."
        ),
    ] = None,
    new_classes: Annotated[
        bool,
        typer.Option("--new-classes", help="Add labels of 5 clips or more that the base lacks."),
    ] = False,
    most_loss: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Points of event recall that an old class may lose on held-out clips; "
            "more only where chance explains it.",
        ),
    ] = 1.0,
    label: RequiredLabelsOption = None,
    unproven: Annotated[
        bool,
        typer.Option("--unproven", help="Go on if no held-out clips show what is forgotten."),
    ] = False,
    false_alarms_per_day: Annotated[
        float | None,
        typer.Option(min=0.001, help="The budget for this room. Default: the base's, or 1."),
    ] = None,
    version: Annotated[
        int | None,
        typer.Option(min=1, help="The bundle's version. Default: one more than the base's."),
    ] = None,
    cache: CacheOption = EMBEDDING_CACHE,
) -> None:
    """Correct a bundle with people's verdicts on its clips; prints the new bundle's path."""
    with session():
        from listener.detection.bundle import read_bundle  # noqa: PLC0415 - the others: TensorFlow
        from trainer.retraining.retrain import RetrainRequest  # noqa: PLC0415
        from trainer.retraining.retrain import retrain as run  # noqa: PLC0415
        from trainer.retraining.summary import show_findings  # noqa: PLC0415

        request = RetrainRequest(
            clips=clips,
            base=read_bundle(base),
            out=out,
            cache=cache,
            data=tuple(data or ()),
            new_classes=new_classes,
            most_loss=most_loss,
            without_holdout=unproven,
            required_labels=frozenset(label or ()),
            false_alarms_per_day=false_alarms_per_day,
            version=version,
        )
        with clips_bar() as report:
            retrained = run(request, report)
        show_findings(retrained.findings)
    typer.echo(retrained.bundle.path)
