"""`trainer fit`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from listener.validation import first_problem
from trainer.commands import common
from trainer.config import EMBEDDING_CACHE, YAMNET_HANDLE, Storage
from trainer.model.settings import FitSettings, HeadShape, Thawing
from trainer.training.recipe import HeadKind, Recipe, read_recipe

_DEFAULTS = Recipe()
_Settings = TypeVar("_Settings", Recipe, FitSettings, HeadShape, Thawing)


def fit(
    data: common.DataOption,
    out: Annotated[Path, typer.Option(help="Where the bundle goes; an older bundle is replaced.")],
    backbone: common.BackboneOption = YAMNET_HANDLE,
    folds: Annotated[
        list[int] | None, typer.Option(help="Train on this fold; may be repeated. Default: all.")
    ] = None,
    validation: Annotated[
        int | None,
        typer.Option(
            help="The fold that decides when to stop. Default: the last of those with most classes."
        ),
    ] = None,
    lesson: Annotated[
        Path | None,
        typer.Option(help="best.json of `trainer search`; the options below override it."),
    ] = None,
    thaw: Annotated[
        int | None,
        typer.Option(
            help="How many of YAMNet's last blocks to train too, 0 to 14.",
            show_default=str(_DEFAULTS.fit.thawing.blocks),
        ),
    ] = None,
    hidden: Annotated[
        int | None,
        typer.Option(
            help="Units of a dense layer; 0: a linear head.",
            show_default=str(_DEFAULTS.fit.head.hidden),
        ),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            help="Share of dropout before the last layer.",
            show_default=str(_DEFAULTS.fit.head.dropout),
        ),
    ] = None,
    copies: Annotated[
        int | None,
        typer.Option(help="Varied copies of each clip.", show_default=str(_DEFAULTS.copies)),
    ] = None,
    background: Annotated[
        bool | None,
        typer.Option(
            "--background/--no-background",
            help="Train on other sounds, noise and quiet parts as none of the classes.",
            show_default="background",
        ),
    ] = None,
    head: Annotated[
        HeadKind | None,
        typer.Option(
            help="What is trained; best: what does better on validation clips.",
            show_default=_DEFAULTS.head,
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Learning rate.", show_default=str(_DEFAULTS.fit.learning_rate)),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="At most this many.", show_default=str(_DEFAULTS.fit.max_epochs)),
    ] = None,
    labels: common.LabelsOption = None,
    hop: common.HopOption = 0.24,
    high_pass: Annotated[
        float | None,
        typer.Option(help="Hz; remove what is lower, in the daemon as well. Default: off."),
    ] = None,
    level: Annotated[
        float | None,
        typer.Option(help="dBFS; bring each patch to this level, by 30 dB at most. Default: off."),
    ] = None,
    timing: Annotated[
        bool, typer.Option(help="Also learn when in a patch a sound is; for clips with times.")
    ] = False,
    storage: Annotated[Storage, typer.Option(help="How the weights are kept.")] = "float32",
    hold_back: Annotated[
        bool,
        typer.Option(
            "--hold-back/--no-hold-back",
            help="Keep a few clips in the bundle, not trained on, to check later bundles.",
        ),
    ] = True,
    licence: Annotated[
        str | None,
        typer.Option(help="The data's licence. Default: the licence file beside it, if any."),
    ] = None,
    cache: common.CacheOption = EMBEDDING_CACHE,
    seed: Annotated[
        int | None,
        typer.Option(help="The same seed gives the same bundle.", show_default=str(_DEFAULTS.seed)),
    ] = None,
) -> None:
    """Learn the classes of data sets; the path of the bundle goes to stdout."""
    features = common.features_with_hop(hop)
    preprocessing = common.choose_preprocessing(features, high_pass, level)
    with common.session():
        recipe = _choose_recipe(
            _DEFAULTS if lesson is None else read_recipe(lesson),
            thaw=thaw,
            hidden=hidden,
            dropout=dropout,
            copies=copies,
            background=background,
            head=head,
            rate=rate,
            epochs=epochs,
            seed=seed,
        )
        from trainer.training.fit_bundle import FitRequest, fit_bundle  # noqa: PLC0415 - TensorFlow

        request = FitRequest(
            data=tuple(data),
            out=out,
            backbone=backbone,
            cache=cache,
            recipe=recipe,
            patch_hop_seconds=features.patch_hop_seconds,
            preprocessing=preprocessing,
            timed=timing,
            folds=tuple(folds or ()),
            validation_fold=validation,
            activation=common.ACTIVATIONS[labels],
            storage=storage,
            hold_back=hold_back,
            licence=licence,
        )
        bundle = fit_bundle(request)
    typer.echo(bundle.path)


def _choose_recipe(
    base: Recipe,
    *,
    thaw: int | None,
    hidden: int | None,
    dropout: float | None,
    copies: int | None,
    background: bool | None,
    head: HeadKind | None,
    rate: float | None,
    epochs: int | None,
    seed: int | None,
) -> Recipe:
    """The base recipe, with what the command line sets; None leaves a setting as it is."""
    try:
        fit = _replace(
            base.fit,
            head=_replace(base.fit.head, hidden=hidden, dropout=dropout),
            thawing=_replace(base.fit.thawing, blocks=thaw),
            learning_rate=rate,
            max_epochs=epochs,
            seed=seed,
        )
        return _replace(base, fit=fit, copies=copies, background=background, head=head, seed=seed)
    except ValidationError as error:
        raise typer.BadParameter(first_problem(error).message) from error


def _replace(settings: _Settings, **changes: Any) -> _Settings:
    """Like dataclasses.replace, but None changes nothing."""
    return replace(settings, **{k: v for k, v in changes.items() if v is not None})
