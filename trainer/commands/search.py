"""`trainer search`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.common import (
    ACTIVATIONS,
    BackboneOption,
    CacheOption,
    DataOption,
    HopOption,
    LabelsOption,
    choose_preprocessing,
    features_with_hop,
    session,
)
from trainer.config import EMBEDDING_CACHE, SEARCHES, YAMNET_HANDLE, Sampler
from trainer.model.settings import FitSettings
from trainer.training.recipe import Recipe


def search(
    data: DataOption,
    trials: Annotated[int, typer.Option(min=1, help="Of the study in all, whoever runs them.")],
    storage: Annotated[
        str | None,
        typer.Option(help="A path, sqlite:/// or postgresql:// URL. Default: a journal in --out."),
    ] = None,
    study: Annotated[
        str, typer.Option(help="Its name; processes with one name share it.")
    ] = "search",
    out: Annotated[
        Path | None, typer.Option(help="Folder for best.json and plots. Default: the user's cache.")
    ] = None,
    sampler: Annotated[Sampler, typer.Option(help="Where parameters come from.")] = "tpe",
    folds: Annotated[
        list[int] | None,
        typer.Option(help="Search on this fold; may be repeated. Default: all."),
    ] = None,
    thaw: Annotated[
        int, typer.Option(min=0, max=14, help="Also try up to so many of YAMNet's blocks; slow.")
    ] = 0,
    backbone: BackboneOption = YAMNET_HANDLE,
    labels: LabelsOption = None,
    hop: HopOption = 0.24,
    high_pass: Annotated[
        float | None, typer.Option(help="Hz; what is lower is taken out. Default: off.")
    ] = None,
    level: Annotated[
        float | None, typer.Option(help="dBFS; each patch is brought to it. Default: off.")
    ] = None,
    grace: Annotated[
        float,
        typer.Option(min=1.0, help="Seconds of silence until a trial's process is taken for dead."),
    ] = 60.0,
    cache: CacheOption = EMBEDDING_CACHE,
    seed: Annotated[int, typer.Option(min=0, help="One process with it finds the same.")] = 0,
) -> None:
    """Find how to learn best; the path of the best lesson, for `trainer fit`, goes to stdout."""
    features = features_with_hop(hop)
    preprocessing = choose_preprocessing(features, high_pass, level)
    with session():
        from trainer.search.search import SearchRequest, search_recipe  # noqa: PLC0415 - TensorFlow

        request = SearchRequest(
            data=tuple(data),
            out=SEARCHES / study if out is None else out,
            backbone=backbone,
            cache=cache,
            trials=trials,
            study=study,
            storage=storage,
            sampler=sampler,
            base=Recipe(fit=FitSettings(seed=seed), seed=seed),
            most_thawed=thaw,
            patch_hop_seconds=features.patch_hop_seconds,
            preprocessing=preprocessing,
            folds=tuple(folds or ()),
            activation=ACTIVATIONS[labels],
            grace_seconds=grace,
        )
        best = search_recipe(request)
    typer.echo(best)
