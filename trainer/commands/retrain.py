"""`trainer retrain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.common import AskedOption, CacheOption, session
from trainer.config import EMBEDDING_CACHE
from trainer.terminal import clips_bar


def retrain(
    clips: Annotated[Path, typer.Option(help="The station's clip store, with verdicts.")],
    base: Annotated[Path, typer.Option(help="The bundle to correct, with its saved_model/.")],
    out: Annotated[Path, typer.Option(help="Where the bundle goes; an older bundle is replaced.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="What the base learnt from; may be repeated. "
            "Default: old classes are kept by the base's own outputs."
        ),
    ] = None,
    new_classes: Annotated[
        bool,
        typer.Option("--new-classes", help="Add labels of 5 clips or more that the base lacks."),
    ] = False,
    most_loss: Annotated[
        float,
        typer.Option(min=0.0, help="Points of F1 that an old class may lose on held-out clips."),
    ] = 1.0,
    label: AskedOption = None,
    unproven: Annotated[
        bool,
        typer.Option("--unproven", help="Go on though no held-out clip tells what is forgotten."),
    ] = False,
    false_alarms_per_day: Annotated[
        float | None,
        typer.Option(min=0.001, help="That this room may give. Default: the base's budget, or 1."),
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="Of the bundle. Default: one more than the base's.")
    ] = None,
    cache: CacheOption = EMBEDDING_CACHE,
) -> None:
    """Correct a bundle by what people said of its clips; the new bundle's path goes to stdout."""
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
