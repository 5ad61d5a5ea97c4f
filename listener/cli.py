"""The daemon's commands. Machine output goes to stdout and nothing else does.

A command imports what it alone needs: a cold start hears its first event sooner.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from listener import __version__
from listener.commands import clips
from listener.commands.replay import ReplayFormat, replay_files
from listener.commands.terminal import DEFAULT_CONFIG, ConfigOption, load, one_line_errors
from listener.config.load import load_config
from listener.process import ExitCode, set_up_logging

PlainOption = Annotated[
    bool, typer.Option("--plain", help="Lines in place of a picture, as without a terminal.")
]

app = typer.Typer(
    help="Listens around the clock and turns what it hears into sound events.",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
app.add_typer(clips.app, name="clips")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: listener demo")
def demo(
    bundle: Annotated[
        Path | None,
        typer.Option(envvar="EARSHOT_BUNDLE", help="Default: the starter bundle of the package."),
    ] = None,
    plain: PlainOption = False,
) -> None:
    """Hear a generated soundscape: real pipeline and broker, no microphone, no config."""
    from listener.commands.demo import run_demo  # noqa: PLC0415

    with one_line_errors():
        set_up_logging("warning")
        raise typer.Exit(run_demo(bundle, plain=plain))


@app.command(epilog="Example: listener run --config config.toml")
def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Listen, until SIGTERM, SIGINT or the end of the last source."""
    from listener.station import run_daemon  # noqa: PLC0415

    with one_line_errors():
        raise typer.Exit(run_daemon(load(config)))


@app.command(epilog="Example: listener replay night.flac --bundle models/yamnet --format audacity")
def replay(
    files: Annotated[list[Path], typer.Argument(help="Audio files.")],
    bundle: Annotated[
        Path | None, typer.Option(envvar="EARSHOT_BUNDLE", help="Default: that of the config.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Labels, policies and engine from a station's settings.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        ReplayFormat, typer.Option(help="What a line looks like.")
    ] = ReplayFormat.JSONL,
    scores: Annotated[
        Path | None, typer.Option(help="Also store scores, slot boundaries and labels, as .npz.")
    ] = None,
) -> None:
    """Analyse files faster than real time; one event a line, in seconds of the file."""
    with one_line_errors():
        settings = None if config is None else load(config)
        set_up_logging("error")  # a file that cannot be read has a line of its own
        raise typer.Exit(replay_files(files, bundle, settings, format, scores))


@app.command(epilog="Example: listener check --config config.toml")
def check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Try every part of a station's settings for real, and say what works."""
    from listener.commands.check import check_station  # noqa: PLC0415

    with one_line_errors():
        settings = load_config(config)
        set_up_logging("error")  # the table says it
        raise typer.Exit(check_station(settings))


@app.command(epilog="Example: listener bench --bundle models/yamnet --sources 40")
def bench(
    bundle: Annotated[
        Path | None, typer.Option(envvar="EARSHOT_BUNDLE", help="Default: that of the config.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Labels, threads and number of sources of a station.")
    ] = None,
    sources: Annotated[
        int | None, typer.Option(min=1, max=1024, help="How many are wanted; too many: code 1.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.05, help="Of each of some 20 runs.")] = 0.3,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Measure how many sources this machine carries, with which engine, batch and patch hop."""
    from listener.commands.bench import bench_machine  # noqa: PLC0415

    with one_line_errors():
        settings = None if config is None else load_config(config)
        set_up_logging("error")
        raise typer.Exit(bench_machine(bundle, settings, sources, seconds, as_json=json))


@app.command(epilog="Example: listener devices")
def devices() -> None:
    """List the capture devices by the names that go into the config."""
    from listener.commands.devices import print_devices  # noqa: PLC0415

    with one_line_errors():
        print_devices()


@app.command(epilog="Example: listener watch --url http://127.0.0.1:9464")
def watch(
    config: Annotated[
        Path | None, typer.Option(help="Settings of the station to watch, for its address.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Address of a running station.")] = None,
    plain: PlainOption = False,
) -> None:
    """Show live levels, top scores and events of a running station; end with Ctrl-C."""
    from listener.commands.watch import watch_station  # noqa: PLC0415

    with one_line_errors():
        raise typer.Exit(watch_station(config, url, plain=plain))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    command = typer.main.get_command(app)
    try:
        code: int | None = command.main(arguments, prog_name="listener", standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message() or "expected a command"  # its help has been shown
        typer.echo(f"listener: {message}", err=True)
        return ExitCode.USAGE
    return code or ExitCode.DONE
