"""`trainer similar`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.session import session


def similar(
    clip: Annotated[str, typer.Argument(help="The id of a stored clip, or the path of its audio.")],
    clips: Annotated[Path, typer.Option(help="The station's clip store.")],
    count: Annotated[int, typer.Option(min=1, help="At most so many.")] = 10,
) -> None:
    """Find stored clips that sound like one of them; nearest first on stdout, one JSON a line."""
    with session():
        from trainer.clip_search.similar import (  # noqa: PLC0415 - reads the store
            find_similar,
            show_neighbours,
        )

        found = find_similar(clip, clips, count)
        show_neighbours(found)
    for each in found:
        typer.echo(json.dumps(asdict(each)))
