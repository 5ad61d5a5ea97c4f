"""`trainer promote` and `trainer rollback`."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.common import RequiredLabelsOption, session


def promote(
    bundle: Annotated[Path, typer.Argument(help="The candidate; it stays where it is.")],
    models: Annotated[
        Path, typer.Option(help="The station's folder of bundles, with the link `current`.")
    ],
    clips: Annotated[
        Path | None, typer.Option(help="The station's clip store, for its ambient clips.")
    ] = None,
    false_alarms_per_day: Annotated[
        float | None,
        typer.Option(min=0.001, help="On ambient clips. Default: the candidate's budget, or 1."),
    ] = None,
    most_loss: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Points of event recall that a label may lose on held-out clips; "
            "more only where chance explains it.",
        ),
    ] = 1.0,
    noise_label: Annotated[
        list[str] | None,
        typer.Option(
            help="A label that may hear noise or silence, as AudioSet's own such as white_noise may; "
            "may be repeated."
        ),
    ] = None,
    label: RequiredLabelsOption = None,
    unproven: Annotated[
        bool,
        typer.Option("--unproven", help="Go on if the bundle in use has no held-out clips."),
    ] = False,
) -> None:
    """Put a bundle in use if it passes the gate; prints the path of its copy."""
    with session():
        from trainer.promotion.promote import PromoteRequest  # noqa: PLC0415 - reads audio
        from trainer.promotion.promote import promote as run  # noqa: PLC0415

        promoted = run(
            PromoteRequest(
                candidate=bundle,
                models=models,
                store=clips,
                false_alarms_per_day=false_alarms_per_day,
                most_loss=most_loss,
                noise_labels=frozenset(noise_label or ()),
                without_holdout=unproven,
                required_labels=frozenset(label or ()),
            )
        )
    typer.echo(promoted.path)


def rollback(
    models: Annotated[
        Path, typer.Option(help="The station's folder of bundles, with the link `current`.")
    ],
) -> None:
    """Put the previous bundle back in use; prints its path."""
    with session():
        from trainer.promotion.promote import roll_back  # noqa: PLC0415 - as the other commands

        bundle = roll_back(models)
    typer.echo(bundle.path)
