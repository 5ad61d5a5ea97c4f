"""The daemon's commands. Only output for programs goes to stdout.

Each command imports what it needs when it runs, so that a cold start is short.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from listener import __version__
from listener.commands import clips
from listener.commands.common import DEFAULT_CONFIG, ConfigOption, load, one_line_errors
from listener.commands.replay import ReplayFormat, replay_files
from listener.config.load import load_config
from listener.process import ExitCode, set_up_logging

BundleOption = Annotated[
    Path | None, typer.Option(envvar="EARSHOT_BUNDLE", help="Default: the config's.")
]
PlainOption = Annotated[
    bool, typer.Option("--plain", help="Print plain lines, as without a terminal.")
]

app = typer.Typer(
    help="Listens around the clock and turns audio into sound events.",
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
        typer.Option(envvar="EARSHOT_BUNDLE", help="Default: the starter bundle in the package."),
    ] = None,
    plain: PlainOption = False,
) -> None:
    """Detect events in a generated soundscape; needs no microphone and no config."""
    from listener.commands.demo import run_demo  # noqa: PLC0415

    with one_line_errors():
        set_up_logging("warning")
        raise typer.Exit(run_demo(bundle, plain=plain))


@app.command(epilog="Example: listener run --config config.toml")
def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run a station until SIGTERM, SIGINT or the end of the last source."""
    from listener.station import run_daemon  # noqa: PLC0415

    with one_line_errors():
        raise typer.Exit(run_daemon(load(config)))


@app.command(epilog="Example: listener replay night.flac --bundle models/yamnet --format audacity")
def replay(
    files: Annotated[list[Path], typer.Argument(help="Audio files.")],
    bundle: BundleOption = None,
    config: Annotated[
        Path | None, typer.Option(help="Take labels, policies and engine from a station's config.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        ReplayFormat, typer.Option(help="Format of the lines.")
    ] = ReplayFormat.JSONL,
    scores: Annotated[
        Path | None,
        typer.Option(help="Also write scores, slot boundaries and labels to an .npz file."),
    ] = None,
    near_misses: Annotated[
        bool,
        typer.Option(
            "--near-misses", help="Print what nearly was an event as JSON, not on stderr."
        ),
    ] = False,
) -> None:
    """Analyse files faster than real time; one event per line, in seconds of the file."""
    with one_line_errors():
        settings = None if config is None else load(config)
        set_up_logging("error")  # an unreadable file gets a line of its own
        raise typer.Exit(
            replay_files(files, bundle, settings, format, scores, near_misses=near_misses)
        )


@app.command(epilog="Example: listener check --config config.toml")
def check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Test every part of a station's config for real, and report what works."""
    from listener.commands.check import check_station  # noqa: PLC0415

    with one_line_errors():
        settings = load_config(config)
        set_up_logging("error")  # the table reports it
        raise typer.Exit(check_station(settings))


@app.command(epilog="Example: listener bench --bundle models/yamnet --sources 40")
def bench(
    bundle: BundleOption = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Take labels, threads and sources from a station's config."),
    ] = None,
    sources: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Sources that must fit, else exit code 1.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.05, help="Duration of each of about 20 runs.")
    ] = 0.3,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how many sources this machine can handle, with which engine, batch and patch hop."""
    from listener.commands.bench import bench_machine  # noqa: PLC0415

    with one_line_errors():
        settings = None if config is None else load_config(config)
        set_up_logging("error")
        raise typer.Exit(bench_machine(bundle, settings, sources, seconds, as_json=json))


@app.command(epilog="Example: listener devices")
def devices() -> None:
    """List the capture devices, by the names that the config takes."""
    from listener.commands.devices import print_devices  # noqa: PLC0415

    with one_line_errors():
        print_devices()


@app.command(epilog="Example: listener watch --url http://127.0.0.1:9464")
def watch(
    config: Annotated[
        Path | None, typer.Option(help="The station's config, which has its address.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Address of a running station.")] = None,
    plain: PlainOption = False,
) -> None:
    """Show levels, top scores and events of a running station; stop with Ctrl-C."""
    from listener.commands.watch import watch_station  # noqa: PLC0415

    with one_line_errors():
        raise typer.Exit(watch_station(config, url, plain=plain))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    command = typer.main.get_command(app)
    try:
        code: int | None = command.main(arguments, prog_name="listener", standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message() or "expected a command"  # typer has printed the help
        typer.echo(f"listener: {message}", err=True)
        return ExitCode.USAGE
    return code or ExitCode.DONE
