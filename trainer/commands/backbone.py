"""`trainer backbone`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import HopOption, features_with_hop
from trainer.commands.session import session
from trainer.config import YAMNET_HANDLE, Storage


def backbone(
    out: Annotated[Path, typer.Option(help="Where the bundle goes; an older bundle is replaced.")],
    handle: Annotated[
        str, typer.Argument(help="TF Hub URL or directory of YAMNet's SavedModel.")
    ] = YAMNET_HANDLE,
    storage: Annotated[
        Storage,
        typer.Option(help="How the weights are kept; float16 only if its scores agree."),
    ] = "float32",
    hop: HopOption = 0.48,
) -> None:
    """Make a bundle of YAMNet's 521 AudioSet classes; its path goes to stdout."""
    features = features_with_hop(hop)
    with session():
        from trainer.training.backbone_bundle import make_backbone_bundle  # noqa: PLC0415 - imports TensorFlow

        bundle = make_backbone_bundle(handle, out, features, storage)
    typer.echo(bundle.path)
