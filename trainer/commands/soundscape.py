"""`trainer soundscape`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.session import session


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
