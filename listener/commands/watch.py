"""`listener watch`: live levels, top scores and events of a running station, from its /metrics."""

import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.live import Live

from listener.commands.terminal import can_draw
from listener.commands.watch_screen import SourceView, WatchHistory, fetch_views, watch_picture
from listener.config.load import load_config
from listener.config.station import ConfigError, HttpSettings
from listener.process import ExitCode

_PERIOD_SECONDS = 1.0
_TOP_SCORES = 5


def watch_station(config: Path | None, url: str | None, *, plain: bool = False) -> ExitCode:
    """Show the station until Ctrl-C; LOST when it does not answer.

    Without a terminal, or with `plain`, one line per source and second is printed instead.

    Raises:
        ConfigError: the config is wrong or turns HTTP off, or nothing at the address is a station.
    """
    if url is None:
        settings = HttpSettings() if config is None else load_config(config).http
        if not settings.enabled:
            raise ConfigError(f"{config}: http: the station serves no metrics to watch")
        url = f"http://{settings.host}:{settings.port}"
    address = url.rstrip("/") + "/metrics"
    console = Console()
    try:
        _show(console, address, plain=plain or not can_draw(console))
    except KeyboardInterrupt:
        return ExitCode.DONE
    except ValueError as error:
        raise ConfigError(f"{address}: expected the address of a station: {error}") from error
    except (OSError, HTTPException) as error:
        typer.echo(f"listener: {address}: the station does not answer: {error}", err=True)
        return ExitCode.LOST


def _show(console: Console, address: str, *, plain: bool) -> NoReturn:
    if plain:
        while True:
            for line in plain_lines(fetch_views(address)):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            time.sleep(_PERIOD_SECONDS)
    history = WatchHistory()
    with Live(console=console, auto_refresh=False) as live:
        while True:
            views = fetch_views(address)
            history.add(views, time.time())
            live.update(watch_picture(views, history, console), refresh=True)
            time.sleep(_PERIOD_SECONDS)


def plain_lines(views: Mapping[str, SourceView]) -> Iterator[str]:
    """One line per source, for programs and for people without a terminal."""
    for name, view in views.items():
        scores = " ".join(f"{label}={score:.2f}" for label, score in view.top_scores(_TOP_SCORES))
        yield f"{name} {view.status} {view.level_dbfs:.1f} dBFS {scores}"
