"""`trainer replay`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from trainer.clip_search.replay import parse_since
from trainer.commands.session import session


def replay(
    clips: Annotated[Path, typer.Option(help="The station's clip store.")],
    bundle: Annotated[Path, typer.Option(help="The bundle as it is.")],
    against: Annotated[Path, typer.Option(help="The bundle that might be used.")],
    since: Annotated[
        str | None, typer.Option(help="7d, 12h, 30m, or a date. Default: all clips.")
    ] = None,
) -> None:
    """Show what another bundle would have changed; changed events go to stdout, one JSON a line."""
    first = None if since is None else _parse(since)
    with session():
        from listener.detection.bundle import read_bundle  # noqa: PLC0415 - reads audio, scores
        from trainer.clip_search.replay import replay as run  # noqa: PLC0415
        from trainer.clip_search.similar import show_comparison  # noqa: PLC0415
        from trainer.model.progress import clips_bar  # noqa: PLC0415

        before, after = read_bundle(bundle), read_bundle(against)
        with clips_bar() as report:
            found = run(clips, before, after, first, report(f"{before.id} against {after.id}"))
        show_comparison(found, before, after)
    for each in found.events:
        if each.change != "same":
            typer.echo(json.dumps(asdict(each)))


def _parse(since: str) -> float:
    try:
        return parse_since(since, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error
