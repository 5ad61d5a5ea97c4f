"""The picture of `listener watch`: a block for each source, and the newest events under them."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from listener.commands.station_view import SourceView
from listener.commands.terminal import level_bar, sparkline
from listener.commands.watch_history import KEPT_SCORES, SeenEvent, WatchHistory

_EVENT_ROWS = 6
_SCORE_ROWS = 5
_LEAST_CELLS = 8
_NUMBER_CELLS = 12  # "-120.0 dBFS"
_GAPS = 6  # around the columns
_NARROW = 50  # under it labels are cut, so that numbers are not


def watch_picture(
    views: Mapping[str, SourceView], history: WatchHistory, console: Console
) -> Group:
    """Levels, sparklines of the highest scores and events, as wide and as high as the terminal."""
    rows = _score_rows(len(views), console.height)
    names = _name_cells(views, console.width)
    cells = max(_LEAST_CELLS, min(KEPT_SCORES, console.width - names - _NUMBER_CELLS - _GAPS))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, width=names)
    table.add_column(no_wrap=True, width=cells)
    table.add_column(no_wrap=True, justify="right")
    for source, view in views.items():
        table.add_row(Text(source, style="bold"), _level(view, cells), _level_number(view))
        for label in history.top_labels(source, rows):
            _add_score(table, history, (source, label), cells, label in view.active)
    return Group(table, Text(), _events(history, console.width))


def _score_rows(sources: int, height: int) -> int:
    """How many scores of each source there is room for, the events' rows left free."""
    free = height - _EVENT_ROWS - 4  # their title, the line between and the cursor's
    return max(0, min(_SCORE_ROWS, free // max(1, sources) - 1))


def _name_cells(views: Mapping[str, SourceView], width: int) -> int:
    """The same whatever scores are on top, so that the columns stand still."""
    names = [*views, *(f"  {label}" for view in views.values() for label in view.scores)]
    return min(max(map(len, names), default=1), width // 3)


def _level(view: SourceView, cells: int) -> Text:
    if view.status in ("offline", "silent"):
        return Text(view.status, style="bold red" if view.status == "offline" else "yellow")
    return level_bar(view.level_dbfs, cells, clipping=view.status == "clipping")


def _level_number(view: SourceView) -> str:
    return "clipping" if view.status == "clipping" else f"{view.level_dbfs:.1f} dBFS"


def _add_score(
    table: Table,
    history: WatchHistory,
    key: tuple[str, str],
    cells: int,
    active: bool,
) -> None:
    scores = list(history.scores[key])
    line = sparkline(scores[-cells:]).rjust(cells)
    style = "bold red" if active else ""
    table.add_row(
        Text(f"  {key[1]}", style), Text(line, style or "cyan"), Text(f"{scores[-1]:.2f}", style)
    )


def _events(history: WatchHistory, width: int) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, max_width=width // 3 if width < _NARROW else None)
    table.add_column(no_wrap=True)
    table.add_row(Text("events", style="bold"))
    for event in list(history.events)[:_EVENT_ROWS]:
        style = "bold red" if event.ended_at is None else ""
        seen = time.strftime("%H:%M:%S", time.localtime(event.seen_at))
        table.add_row(seen, event.source, event.label, _lasted(event), style=style)
    return table


def _lasted(event: SeenEvent) -> str:
    until = "now" if event.ended_at is None else f"{event.ended_at - event.seen_at:.0f} s"
    return f"{until}, peak {event.peak_score:.2f}"
