"""What options of several commands mean."""

from __future__ import annotations

import typer
from pydantic import ValidationError

from listener.detection.params import FeatureParams


def features_with_hop(hop: float) -> FeatureParams:
    """The front end with this patch hop, seconds.

    Raises:
        typer.BadParameter: a hop that is not a whole number of frames.
    """
    try:
        return FeatureParams(patch_hop_seconds=hop)
    except ValidationError as error:
        raise typer.BadParameter(first_line(error), param_hint="--hop") from error


def first_line(error: ValidationError) -> str:
    """What is wrong first, without pydantic's ornaments."""
    first = error.errors()[0]
    return str(first.get("ctx", {}).get("error", first["msg"]))
