"""`trainer fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from trainer.commands.options import features_with_hop, first_line
from trainer.commands.session import session
from trainer.config import EMBEDDING_CACHE, YAMNET_HANDLE, LabelsOfAClip, Storage
from trainer.model.settings import Activation, FitSettings
from trainer.teaching.lesson import Lesson

_ACTIVATIONS: dict[LabelsOfAClip | None, Activation | None] = {
    None: None,  # as the clips are
    "one": "softmax",
    "many": "sigmoid",
}


def fit(
    data: Annotated[
        list[Path],
        typer.Option(help="ESC-50's CSV, a folder per class, or spans; may be repeated."),
    ],
    out: Annotated[Path, typer.Option(help="Where the bundle goes; an older bundle is replaced.")],
    backbone: Annotated[
        str, typer.Option(help="TF Hub URL or directory: YAMNet, VGGish, or a bundle.")
    ] = YAMNET_HANDLE,
    folds: Annotated[
        list[int] | None, typer.Option(help="Learn from this fold; may be repeated. Default: all.")
    ] = None,
    validation: Annotated[
        int | None, typer.Option(help="The fold of them that says when to stop. Default: the last.")
    ] = None,
    thaw: Annotated[int, typer.Option(help="YAMNet's last blocks that learn too, 0 to 14.")] = 0,
    hidden: Annotated[int, typer.Option(help="Units of a dense layer; 0: a linear head.")] = 0,
    dropout: Annotated[float, typer.Option(help="Share of dropout before the last layer.")] = 0.0,
    copies: Annotated[int, typer.Option(help="Varied copies of each clip.")] = 2,
    background: Annotated[
        bool,
        typer.Option(
            "--background/--no-background",
            help="Learn noise, silence and quiet parts as none of the classes.",
        ),
    ] = True,
    rate: Annotated[float, typer.Option(help="Learning rate.")] = 2e-3,
    epochs: Annotated[int, typer.Option(help="At most.")] = 12,
    labels: Annotated[
        LabelsOfAClip | None,
        typer.Option(help="Of a clip; default: one, unless a clip has several."),
    ] = None,
    hop: Annotated[float, typer.Option(help="Seconds from one patch to the next.")] = 0.24,
    storage: Annotated[Storage, typer.Option(help="How the weights are kept.")] = "float32",
    cache: Annotated[Path, typer.Option(help="Embeddings of earlier runs.")] = EMBEDDING_CACHE,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bundle.")] = 0,
) -> None:
    """Learn the classes of data sets; the path of the bundle goes to stdout."""
    features = features_with_hop(hop)
    fit_settings = {
        "thawing": {"blocks": thaw},
        "head": {"hidden": hidden, "dropout": dropout},
        "learning_rate": rate,
        "max_epochs": epochs,
        "seed": seed,
    }
    lesson = _lesson(fit_settings, copies=copies, background=background, seed=seed)
    with session():
        from trainer.teaching.fit_bundle import FitRequest, fit_bundle  # noqa: PLC0415 - TensorFlow

        request = FitRequest(
            data=tuple(data),
            out=out,
            backbone=backbone,
            cache=cache,
            lesson=lesson,
            patch_hop_seconds=features.patch_hop_seconds,
            folds=tuple(folds or ()),
            validation_fold=validation,
            activation=_ACTIVATIONS[labels],
            storage=storage,
        )
        bundle = fit_bundle(request)
    typer.echo(bundle.path)


def _lesson(fit: dict[str, Any], *, copies: int, background: bool, seed: int) -> Lesson:
    try:
        return Lesson(fit=FitSettings(**fit), copies=copies, background=background, seed=seed)
    except ValidationError as error:
        raise typer.BadParameter(first_line(error)) from error
