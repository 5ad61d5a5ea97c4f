"""What a terminal can show, and the two small pictures of the commands: a level and a line of scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from listener.config.load import load_config
from listener.config.station import Config, ConfigError
from listener.detection.bundle import BundleError
from listener.detection.clip import ClipError, UnknownClipError
from listener.engines.engine import EngineError
from listener.mqtt.client import BrokerError
from listener.process import ExitCode, set_up_logging
from listener.sources.source import SourceError

BAR_FLOOR_DBFS = -80.0
_LOUD_DBFS = -12.0
_BLOCKS = "▁▂▃▄▅▆▇█"


def can_draw(console: Console) -> bool:
    """Whether a picture can be drawn over the one before, with characters that are no ASCII."""
    moves = console.is_terminal and not console.is_dumb_terminal
    return moves and not console.options.ascii_only


def level_bar(level_dbfs: float, cells: int, *, clipping: bool = False) -> Text:
    """A level as a bar of so many cells, from BAR_FLOOR_DBFS to full scale."""
    share = 1 - min(max(level_dbfs, BAR_FLOOR_DBFS), 0.0) / BAR_FLOOR_DBFS
    filled = round(share * cells)
    style = "bold red" if clipping else "yellow" if level_dbfs > _LOUD_DBFS else "green"
    return Text.assemble(("█" * filled, style), ("·" * (cells - filled), "dim"))


def sparkline(scores: Iterable[float | None]) -> str:
    """Scores in [0, 1], a character each; a space where there is none."""
    return "".join(" " if score is None else _block(score) for score in scores)


def _block(score: float) -> str:
    return _BLOCKS[min(int(score * len(_BLOCKS)), len(_BLOCKS) - 1)]


# What every command does around its work: errors become one line and an exit code.


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
