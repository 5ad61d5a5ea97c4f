"""`trainer search`."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands import common
from trainer.config import EMBEDDING_CACHE, SEARCHES, YAMNET_HANDLE, Sampler
from trainer.model.settings import FitSettings
from trainer.training.recipe import Recipe


def search(
    data: common.DataOption,
    trials: Annotated[
        int, typer.Option(min=1, help="Trials of the study in all, of all its processes.")
    ],
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
        int,
        typer.Option(
            min=0, max=14, help="Also train up to this many of YAMNet's last blocks; slow."
        ),
    ] = 0,
    backbone: common.BackboneOption = YAMNET_HANDLE,
    labels: common.LabelsOption = None,
    hop: common.HopOption = 0.24,
    high_pass: Annotated[
        float | None, typer.Option(help="Hz; remove what is lower. Default: off.")
    ] = None,
    level: Annotated[
        float | None, typer.Option(help="dBFS; bring each patch to this level. Default: off.")
    ] = None,
    grace: Annotated[
        float,
        typer.Option(min=1.0, help="Seconds without a heartbeat until a trial counts as dead."),
    ] = 60.0,
    cache: common.CacheOption = EMBEDDING_CACHE,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed finds the same in one process.")
    ] = 0,
) -> None:
    """Search the best training recipe, for `trainer fit`; prints the path of best.json."""
    features = common.features_with_hop(hop)
    preprocessing = common.choose_preprocessing(features, high_pass, level)
    with common.session():
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
            # regression has none of the parameters that are searched
            base=Recipe(fit=FitSettings(seed=seed), seed=seed, head="network"),
            most_thawed=thaw,
            patch_hop_seconds=features.patch_hop_seconds,
            preprocessing=preprocessing,
            folds=tuple(folds or ()),
            activation=common.ACTIVATIONS[labels],
            grace_seconds=grace,
        )
        best = search_recipe(request)
    typer.echo(best)
