"""`trainer fit`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from trainer.commands.common import (
    ACTIVATIONS,
    BackboneOption,
    CacheOption,
    DataOption,
    HopOption,
    LabelsOption,
    choose_preprocessing,
    features_with_hop,
    first_line,
    session,
)
from trainer.config import EMBEDDING_CACHE, YAMNET_HANDLE, Storage
from trainer.model.settings import FitSettings, HeadShape, Thawing
from trainer.training.recipe import Recipe, read_recipe

_DEFAULTS = Recipe()
_Settings = TypeVar("_Settings", Recipe, FitSettings, HeadShape, Thawing)


def fit(
    data: DataOption,
    out: Annotated[Path, typer.Option(help="Where the bundle goes; an older bundle is replaced.")],
    backbone: BackboneOption = YAMNET_HANDLE,
    folds: Annotated[
        list[int] | None, typer.Option(help="Learn from this fold; may be repeated. Default: all.")
    ] = None,
    validation: Annotated[
        int | None, typer.Option(help="The fold of them that says when to stop. Default: the last.")
    ] = None,
    lesson: Annotated[
        Path | None,
        typer.Option(help="best.json of `trainer search`; the options below win over it."),
    ] = None,
    thaw: Annotated[
        int | None,
        typer.Option(
            help="YAMNet's last blocks that learn too, 0 to 14.",
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
            help="Learn noise, silence and quiet parts as none of the classes.",
            show_default="background",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Learning rate.", show_default=str(_DEFAULTS.fit.learning_rate)),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="At most.", show_default=str(_DEFAULTS.fit.max_epochs))
    ] = None,
    labels: LabelsOption = None,
    hop: HopOption = 0.24,
    high_pass: Annotated[
        float | None,
        typer.Option(help="Hz; what is lower is taken out, in the daemon as well. Default: off."),
    ] = None,
    level: Annotated[
        float | None,
        typer.Option(help="dBFS; each patch is brought to it, by 30 dB at most. Default: off."),
    ] = None,
    timing: Annotated[
        bool, typer.Option(help="Also hear when in a patch a sound is; for clips that say when.")
    ] = False,
    storage: Annotated[Storage, typer.Option(help="How the weights are kept.")] = "float32",
    hold_back: Annotated[
        bool,
        typer.Option(
            "--hold-back/--no-hold-back",
            help="Keep a few clips in the bundle, never learnt from, to judge later ones by.",
        ),
    ] = True,
    licence: Annotated[
        str | None, typer.Option(help="Of the data. Default: the licence file beside it, if any.")
    ] = None,
    cache: CacheOption = EMBEDDING_CACHE,
    seed: Annotated[
        int | None,
        typer.Option(help="The same seed gives the same bundle.", show_default=str(_DEFAULTS.seed)),
    ] = None,
) -> None:
    """Learn the classes of data sets; the path of the bundle goes to stdout."""
    features = features_with_hop(hop)
    preprocessing = choose_preprocessing(features, high_pass, level)
    with session():
        chosen = _choose(
            _DEFAULTS if lesson is None else read_recipe(lesson),
            thaw=thaw,
            hidden=hidden,
            dropout=dropout,
            copies=copies,
            background=background,
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
            recipe=chosen,
            patch_hop_seconds=features.patch_hop_seconds,
            preprocessing=preprocessing,
            timed=timing,
            folds=tuple(folds or ()),
            validation_fold=validation,
            activation=ACTIVATIONS[labels],
            storage=storage,
            hold_back=hold_back,
            licence=licence,
        )
        bundle = fit_bundle(request)
    typer.echo(bundle.path)


def _choose(
    base: Recipe,
    *,
    thaw: int | None,
    hidden: int | None,
    dropout: float | None,
    copies: int | None,
    background: bool | None,
    rate: float | None,
    epochs: int | None,
    seed: int | None,
) -> Recipe:
    """The lesson with what was chosen on the command line; None is what was not."""
    try:
        fit = _with(
            base.fit,
            head=_with(base.fit.head, hidden=hidden, dropout=dropout),
            thawing=_with(base.fit.thawing, blocks=thaw),
            learning_rate=rate,
            max_epochs=epochs,
            seed=seed,
        )
        return _with(base, fit=fit, copies=copies, background=background, seed=seed)
    except ValidationError as error:
        raise typer.BadParameter(first_line(error)) from error


def _with(settings: _Settings, **chosen: Any) -> _Settings:
    named = {name: value for name, value in chosen.items() if value is not None}
    return replace(settings, **named)
