"""`trainer replay`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from trainer.clip_search.replay import parse_since
from trainer.commands.common import session
from trainer.terminal import clips_bar


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


# `trainer similar`.


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


# `trainer soundscape`.


def soundscape(
    out: Annotated[Path, typer.Option(help="A new folder for the scenes.")],
    scenes: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 20,
    hours: Annotated[
        float | None, typer.Option(min=0.001, help="Hours of audio, in place of --scenes.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="Length of a scene.")] = 30.0,
    sounds: Annotated[int, typer.Option(min=0, help="Sounds in a scene; 0: background.")] = 2,
    snr: Annotated[float, typer.Option(help="Of each sound over the background, dB.")] = 10.0,
    reverb: Annotated[float, typer.Option(min=0.0, help="Longest reverb (RT60), s.")] = 0.3,
    clips: Annotated[
        Path | None, typer.Option(help="More sounds: a folder of clips for each label.")
    ] = None,
    backgrounds: Annotated[
        Path | None, typer.Option(help="A folder of backgrounds, in place of noise.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same audio.")] = 0,
) -> None:
    """Write generated scenes with their ground truth; the path of its CSV goes to stdout."""
    with session():
        from trainer.soundscape import (  # noqa: PLC0415 - reads audio
            make_programme,
            write_soundscapes,
        )

        programme = make_programme(seconds, sounds, snr, reverb, clips, backgrounds)
        count = scenes if hours is None else math.ceil(hours * 3600 / seconds)
        truth = write_soundscapes(out, programme, count, seed)
    typer.echo(truth)
