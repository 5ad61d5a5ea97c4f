"""`listener clips`: the clip store on the command line."""

import getpass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from listener.clips.index import ClipFilter, VerdictState
from listener.commands.common import DEFAULT_CONFIG, ConfigOption, load, one_line_errors
from listener.detection.clip import Reason

app = typer.Typer(help="List, show, judge and export the clips of a station.", no_args_is_help=True)


class ClipsFormat(StrEnum):
    """The format of a list of clips."""

    TABLE = "table"
    JSONL = "jsonl"


_Id = Annotated[str, typer.Argument(help="The clip's id.", metavar="ID")]
_Source = Annotated[str | None, typer.Option(help="Of this source.")]
_Label = Annotated[str | None, typer.Option(help="Kept for this label.")]
_Reason = Annotated[Reason | None, typer.Option(help="Why they were kept.")]
_Verdict = Annotated[
    VerdictState | None, typer.Option(help="The latest verdict; any: any verdict.")
]
_Since = Annotated[datetime | None, typer.Option(help="From this local time on.")]
_Until = Annotated[datetime | None, typer.Option(help="Before this local time.")]


@app.command("list", epilog="Example: listener clips list --label dog --verdict none")
def list_clips(
    config: ConfigOption = DEFAULT_CONFIG,
    source: _Source = None,
    label: _Label = None,
    reason: _Reason = None,
    verdict: _Verdict = None,
    since: _Since = None,
    until: _Until = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    after: Annotated[
        str | None, typer.Option(help="The next page: the last id of the previous one.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        ClipsFormat, typer.Option(help="A table, or one JSON object a line.")
    ] = ClipsFormat.TABLE,
) -> None:
    """List clips, the newest first."""
    from listener.commands.clip_actions import print_clips  # noqa: PLC0415

    wanted = _filter(source, label, reason, verdict, since, until)
    with one_line_errors():
        print_clips(load(config), wanted, limit, after, as_table=format is ClipsFormat.TABLE)


@app.command(epilog="Example: listener clips show 01JD9Z6T3W8Q5V1N2M4K7B0C9E")
def show(clip: _Id, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show everything known about a clip, as JSON."""
    from listener.commands.clip_actions import print_clip  # noqa: PLC0415

    with one_line_errors():
        print_clip(load(config), clip)


@app.command(epilog="Example: listener clips label 01JD9Z6T3W8Q5V1N2M4K7B0C9E --label dog@1.5-3.0")
def label(
    clip: _Id,
    config: ConfigOption = DEFAULT_CONFIG,
    right: Annotated[bool, typer.Option("--right", help="The clip holds its label.")] = False,
    wrong: Annotated[bool, typer.Option("--wrong", help="It does not.")] = False,
    labels: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="NAME[@ON-OFF]", help="It holds these; times in seconds."),
    ] = None,
    who: Annotated[str | None, typer.Option(help="Who judges; default: the user.")] = None,
) -> None:
    """Judge what a clip holds, and show the clip."""
    from listener.commands.clip_actions import label_clip  # noqa: PLC0415

    with one_line_errors():
        label_clip(load(config), clip, right, wrong, labels or [], who or getpass.getuser())


@app.command(epilog="Example: listener clips export judged.zip --since 2026-11-01")
def export(
    out: Annotated[Path, typer.Argument(help="A new folder, or name.zip.")],
    config: ConfigOption = DEFAULT_CONFIG,
    source: _Source = None,
    label: _Label = None,
    reason: _Reason = None,
    since: _Since = None,
    until: _Until = None,
) -> None:
    """Write judged and ambient clips as a data set for `trainer fit`; print its path."""
    from listener.commands.clip_actions import export_clips  # noqa: PLC0415

    wanted = _filter(source, label, reason, None, since, until)
    with one_line_errors():
        typer.echo(export_clips(load(config), wanted, out))


def _filter(
    source: str | None,
    label: str | None,
    reason: Reason | None,
    verdict: VerdictState | None,
    since: datetime | None,
    until: datetime | None,
) -> ClipFilter:
    """Times without a zone are local."""
    bounds = [None if moment is None else moment.timestamp() for moment in (since, until)]
    return ClipFilter(source, label, reason, verdict, *bounds)
