"""`trainer replay`, `similar` and `soundscape`: commands that search or make clips."""

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
    bundle: Annotated[Path, typer.Option(help="The bundle now in use.")],
    against: Annotated[Path, typer.Option(help="The bundle to compare it with.")],
    since: Annotated[
        str | None, typer.Option(help="7d, 12h, 30m, or a date. Default: all clips.")
    ] = None,
) -> None:
    """Show what another bundle would have changed; prints changed events, one JSON a line."""
    try:
        first = None if since is None else parse_since(since, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error
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


def similar(
    clip: Annotated[str, typer.Argument(help="The id of a stored clip, or the path of its audio.")],
    clips: Annotated[Path, typer.Option(help="The station's clip store.")],
    count: Annotated[int, typer.Option(min=1, help="At most this many.")] = 10,
) -> None:
    """Find stored clips that sound like one of them; prints the nearest first, one JSON a line."""
    with session():
        from trainer.clip_search import similar as search  # noqa: PLC0415 - reads the store

        found = search.find_similar(clip, clips, count)
        search.show_neighbours(found)
    for each in found:
        typer.echo(json.dumps(asdict(each)))


def soundscape(
    out: Annotated[Path, typer.Option(help="A new folder for the scenes.")],
    scenes: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 20,
    hours: Annotated[
        float | None, typer.Option(min=0.001, help="Hours of audio, in place of --scenes.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="Length of a scene.")] = 30.0,
    sounds: Annotated[int, typer.Option(min=0, help="Sounds in a scene; 0: background.")] = 2,
    snr: Annotated[float, typer.Option(help="Level of each sound over the background, dB.")] = 10.0,
    reverb: Annotated[float, typer.Option(min=0.0, help="Longest reverb (RT60), s.")] = 0.3,
    clips: Annotated[
        Path | None, typer.Option(help="More sounds: a folder of clips for each label.")
    ] = None,
    backgrounds: Annotated[
        Path | None, typer.Option(help="A folder of backgrounds, in place of noise.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same audio.")] = 0,
) -> None:
    """Write generated scenes with their ground truth; prints the path of its CSV."""
    with session():
        from trainer.soundscape import make_scene_spec, write_soundscapes  # noqa: PLC0415 - reads audio

        spec = make_scene_spec(seconds, sounds, snr, reverb, clips, backgrounds)
        count = scenes if hours is None else math.ceil(hours * 3600 / seconds)
        truth = write_soundscapes(out, spec, count, seed)
    typer.echo(truth)
