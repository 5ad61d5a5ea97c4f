"""What several commands share: the config option, the bundle to use, and errors as one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from listener.clips.layout import StoreBusyError
from listener.config.load import load_config
from listener.config.station import Config, ConfigError
from listener.detection.bundle import BundleError
from listener.detection.clip import ClipError, UnknownClipError
from listener.engines.engine import EngineError
from listener.mqtt.client import BrokerError
from listener.process import ExitCode, escape_output, set_up_logging
from listener.sources.source import SourceError

DEFAULT_CONFIG = Path("config.toml")
ConfigOption = Annotated[Path, typer.Option(help="The station's settings, a TOML file.")]

_EXIT_CODES: dict[type[Exception], ExitCode] = {
    BrokerError: ExitCode.USAGE,
    BundleError: ExitCode.USAGE,
    ClipError: ExitCode.USAGE,
    ConfigError: ExitCode.USAGE,
    EngineError: ExitCode.LOST,
    SourceError: ExitCode.USAGE,
    StoreBusyError: ExitCode.LOST,
    UnknownClipError: ExitCode.USAGE,
}


def load(path: Path) -> Config:
    """Load a config and set up logging at its level.

    Raises:
        ConfigError: the config cannot be used.
    """
    config = load_config(path)
    set_up_logging(config.log_level)
    return config


def choose_bundle(bundle: Path | None, config: Config | None) -> Path:
    """The bundle given on the command line, else the config's.

    Raises:
        ConfigError: neither names one.
    """
    path = bundle or (config.bundle if config else None)
    if path is None:
        raise ConfigError("expected a bundle: give --bundle, --config or EARSHOT_BUNDLE")
    return path


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an error that the user can fix as one line and exit; others stay tracebacks."""
    escape_output()
    try:
        yield
    except tuple(_EXIT_CODES) as error:
        typer.echo(f"listener: {' '.join(str(error).split())}", err=True)
        # the nearest of its kinds: an error may be more special than those of the table
        raise typer.Exit(
            next(_EXIT_CODES[t] for t in type(error).__mro__ if t in _EXIT_CODES)
        ) from error
