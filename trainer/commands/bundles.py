"""`trainer export`, `backbone`, `shrink` and `starter`: commands that make bundles or serve them."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.common import HopOption, features_with_hop, session
from trainer.config import YAMNET_HANDLE, Storage, WantedForm
from trainer.terminal import clips_bar


def export(
    bundle: Annotated[Path, typer.Argument(help="The bundle; it is not changed.")],
    serving: Annotated[
        Path,
        typer.Option(
            help="The model repository of Triton, OpenVINO Model Server or MLServer; made if missing, "
            "models in it are kept."
        ),
    ],
) -> None:
    """Put a bundle's model where a model server finds it; prints the folder of its version."""
    with session():
        from listener.detection.bundle import read_bundle  # noqa: PLC0415 - the others: TensorFlow
        from trainer.export.model_repository import write_to_repository  # noqa: PLC0415

        made = write_to_repository(read_bundle(bundle), serving)
    typer.echo(made)


def backbone(
    out: Annotated[Path, typer.Option(help="Where the bundle goes; an older bundle is replaced.")],
    handle: Annotated[
        str, typer.Argument(help="TF Hub URL or directory of YAMNet's SavedModel.")
    ] = YAMNET_HANDLE,
    storage: Annotated[
        Storage,
        typer.Option(help="How weights are stored; float16 only if its scores agree."),
    ] = "float32",
    hop: HopOption = 0.48,
) -> None:
    """Make a bundle of YAMNet's 521 AudioSet classes; prints its path."""
    features = features_with_hop(hop)
    with session():
        from trainer.training.backbone_bundle import make_backbone_bundle  # noqa: PLC0415 - imports TensorFlow

        bundle = make_backbone_bundle(handle, out, features, storage)
    typer.echo(bundle.path)


def shrink(
    bundle: Annotated[
        Path, typer.Argument(help="The bundle, with its saved_model/; it is not changed.")
    ],
    data: Annotated[
        list[Path],
        typer.Option(help="Labelled clips that it never saw; may be repeated."),
    ],
    out: Annotated[
        Path, typer.Option(help="Where the smaller bundle goes; an older one is replaced.")
    ],
    form: Annotated[
        WantedForm,
        typer.Option(help="best: the smallest that loses at most half a point."),
    ] = "best",
    folds: Annotated[
        list[int] | None,
        typer.Option(
            help="Only this fold; may be repeated. Default: all without a clip that it saw."
        ),
    ] = None,
) -> None:
    """Make a smaller form of a bundle's model if it is as good; prints the bundle's path."""
    with session():
        from listener.detection.bundle import read_bundle  # noqa: PLC0415 - the others: TensorFlow
        from trainer.quantisation.shrink import ShrinkRequest, shrink_bundle  # noqa: PLC0415

        request = ShrinkRequest(read_bundle(bundle), tuple(data), out, form, tuple(folds or ()))
        with clips_bar() as report:
            made = shrink_bundle(request, report)
    typer.echo(made.path)


def starter(
    esc10: Annotated[Path, typer.Option(help="The folder with esc10.csv and audio/.")],
    teacher: Annotated[Path, typer.Option(help="YAMNet's bundle, from `trainer backbone`.")],
    out: Annotated[Path, typer.Option(help="Where the bundle goes; an older one is replaced.")],
    real: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of real audio without labels to train on; may be repeated."),
    ] = None,
    tune: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of other real audio, for the thresholds; may be repeated."),
    ] = None,
    labelled: Annotated[
        Path | None, typer.Option(help="Real recordings in subfolders named after labels.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="A label to export; may be repeated. Default: all.")
    ] = None,
    strips: Annotated[int, typer.Option(min=10, help="Strips of 5.3 s to train on.")] = 9000,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the strips.")] = 5,
    minutes: Annotated[int, typer.Option(min=1, help="Minutes of audio to measure on.")] = 120,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bundle.")] = 0,
) -> None:
    """Train the bundle that ships with the listener; prints its path."""
    with session():
        from trainer.starter.make import (  # noqa: PLC0415 - imports TensorFlow
            Sources,
            StarterRecipe,
            make_starter_bundle,
        )

        sources = Sources(esc10, teacher, tuple(real or ()), tuple(tune or ()), labelled)
        recipe = StarterRecipe(strips, epochs, minutes, seed, tuple(label or ()))
        bundle = make_starter_bundle(sources, out, recipe)
    typer.echo(bundle.path)
