"""What every command does around its work: errors become one line and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from listener.config.load import load_config
from listener.config.station import Config, ConfigError
from listener.detection.bundle import BundleError
from listener.detection.clip import ClipError, UnknownClipError
from listener.engines.engine import EngineError
from listener.exit_codes import ExitCode
from listener.logs import set_up_logging
from listener.mqtt.client import BrokerError
from listener.sources.source import SourceError

_EXIT_CODES: dict[type[Exception], ExitCode] = {
    BrokerError: ExitCode.USAGE,
    BundleError: ExitCode.USAGE,
    ClipError: ExitCode.USAGE,
    ConfigError: ExitCode.USAGE,
    EngineError: ExitCode.LOST,
    SourceError: ExitCode.USAGE,
    UnknownClipError: ExitCode.USAGE,
}

DEFAULT_CONFIG = Path("config.toml")
ConfigOption = Annotated[Path, typer.Option(help="The station's settings, a TOML file.")]


def load(path: Path) -> Config:
    """The settings, with logs as they ask for.

    Raises:
        ConfigError: they cannot be used.
    """
    config = load_config(path)
    set_up_logging(config.log_level)
    return config


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Errors that a user can mend become one line and an exit code; others stay tracebacks."""
    try:
        yield
    except tuple(_EXIT_CODES) as error:
        typer.echo(f"listener: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(_EXIT_CODES[type(error)]) from error
