"""`listener watch`: live levels and top scores of a running station, from its /metrics."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import NoReturn
from urllib.request import urlopen

import typer
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.live import Live
from rich.table import Table

from listener.config import ConfigError, HttpSettings
from listener.config_file import load_config
from listener.detection.audio import SILENCE_DBFS
from listener.exit_codes import ExitCode

_PERIOD_SECONDS = 1.0
_TIMEOUT_SECONDS = 5.0
_TOP_SCORES = 5
_BAR_CELLS = 20
_BAR_FLOOR_DBFS = -80.0


@dataclass(slots=True)
class SourceView:
    """One source as its metrics show it."""

    up: bool = False
    level_dbfs: float = SILENCE_DBFS
    scores: dict[str, float] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)

    @property
    def top_scores(self) -> list[tuple[str, float]]:
        """The highest smoothed scores, with their labels."""
        return sorted(self.scores.items(), key=lambda item: -item[1])[:_TOP_SCORES]


def watch_station(config: Path | None, url: str | None) -> ExitCode:
    """Show the station until Ctrl-C; LOST when it cannot be reached (any more).

    Without a terminal, a line a source and second is printed instead.

    Raises:
        ConfigError: the config is wrong, or turns HTTP off; or the address is none.
    """
    address = (url or _address(config)).rstrip("/") + "/metrics"
    console = Console(soft_wrap=True)
    try:
        _show(console, _poll(address))
    except KeyboardInterrupt:
        return ExitCode.DONE
    except ValueError as error:
        raise ConfigError(f"{address}: expected the address of a station: {error}") from error
    except (OSError, HTTPException) as error:
        typer.echo(f"listener: {address}: the station does not answer: {error}", err=True)
        return ExitCode.LOST


def _show(console: Console, polls: Iterator[dict[str, SourceView]]) -> NoReturn:
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            for views in polls:
                live.update(_table(views), refresh=True)
    for views in polls:
        for name, view in views.items():
            console.print(_line(name, view), markup=False, highlight=False)
    raise AssertionError  # the polls end only with an exception


def _address(config: Path | None) -> str:
    settings = HttpSettings() if config is None else load_config(config).http
    if not settings.enabled:
        raise ConfigError(f"{config}: http: the station serves no metrics to watch")
    return f"http://{settings.host}:{settings.port}"


def _poll(address: str) -> Iterator[dict[str, SourceView]]:
    while True:
        with urlopen(address, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the user's own
            yield read_views(answer.read().decode())
        time.sleep(_PERIOD_SECONDS)


def read_views(metrics: str) -> dict[str, SourceView]:
    """The sources in a text exposition of a station's metrics."""
    views: dict[str, SourceView] = defaultdict(SourceView)
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if "source" in sample.labels:
                _take(views[sample.labels["source"]], sample.name, sample.labels, sample.value)
    return dict(views)


def _take(view: SourceView, name: str, labels: dict[str, str], value: float) -> None:
    match name:
        case "listener_source_up":
            view.up = value == 1
        case "listener_level_dbfs":
            view.level_dbfs = value
        case "listener_score":
            view.scores[labels["label"]] = value
        case "listener_event_active" if value == 1:
            view.active.add(labels["label"])


def _table(views: dict[str, SourceView]) -> Table:
    table = Table("source", "level", "", "top scores")
    for name, view in views.items():
        table.add_row(name, _bar(view), f"{view.level_dbfs:6.1f} dBFS", _scores(view))
    return table


def _bar(view: SourceView) -> str:
    share = 1 - max(view.level_dbfs, _BAR_FLOOR_DBFS) / _BAR_FLOOR_DBFS
    cells = round(share * _BAR_CELLS)
    return ("█" * cells).ljust(_BAR_CELLS, "·") if view.up else "offline".ljust(_BAR_CELLS)


def _scores(view: SourceView) -> str:
    return "  ".join(
        f"[bold red]{label} {score:.2f}[/]" if label in view.active else f"{label} {score:.2f}"
        for label, score in view.top_scores
    )


def _line(name: str, view: SourceView) -> str:
    scores = " ".join(f"{label}={score:.2f}" for label, score in view.top_scores)
    return f"{name} {'online' if view.up else 'offline'} {view.level_dbfs:.1f} dBFS {scores}"
