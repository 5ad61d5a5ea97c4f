"""The picture of `listener watch`: a block for each source, and the newest events under them."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from listener.commands.terminal import level_bar, sparkline
from listener.detection.audio import SILENCE_DBFS

_TIMEOUT_SECONDS = 5.0
KEPT_SCORES = 60  # of each label, one a poll
KEPT_EVENTS = 100
_EVENT_ROWS = 6
_SCORE_ROWS = 5
_LEAST_CELLS = 8
_NUMBER_CELLS = 12  # "-120.0 dBFS"
_GAPS = 6  # around the columns
_NARROW = 50  # under it labels are cut, so that numbers are not


# What the /metrics of a running station say of its sources.


@dataclass(slots=True)
class SourceView:
    """One source as its metrics show it; scores and events by label."""

    status: str = "offline"
    level_dbfs: float = SILENCE_DBFS
    scores: dict[str, float] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)  # that began since the station did
    active: set[str] = field(default_factory=set)

    def top_scores(self, count: int) -> list[tuple[str, float]]:
        """The highest smoothed scores, with their labels."""
        return sorted(self.scores.items(), key=lambda item: -item[1])[:count]


def fetch_views(address: str) -> dict[str, SourceView]:
    """The sources at the address of a /metrics.

    Raises:
        OSError, HTTPException: nobody answers.
        ValueError: the address is none, or what answers is no station.
    """
    with urlopen(address, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the user's own
        return read_views(answer.read().decode())


def read_views(metrics: str) -> dict[str, SourceView]:
    """The sources in a text exposition of a station's metrics.

    Raises:
        ValueError: it is none.
    """
    views: dict[str, SourceView] = defaultdict(SourceView)
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if "source" in sample.labels:
                _take(views[sample.labels["source"]], sample.name, sample.labels, sample.value)
    return dict(views)


def _take(view: SourceView, name: str, labels: dict[str, str], value: float) -> None:
    match name:
        case "listener_source_status" if value == 1:
            view.status = labels["status"]
        case "listener_level_dbfs":
            view.level_dbfs = value
        case "listener_score":
            view.scores[labels["label"]] = value
        case "listener_events_total":
            view.events[labels["label"]] = int(value)
        case "listener_event_active" if value == 1:
            view.active.add(labels["label"])


# What `listener watch` has seen so far: the last scores of each label, and events with their times.


@dataclass(slots=True)
class SeenEvent:
    """An event between two polls or over many; times are unix seconds of the polls, not of the sound."""

    source: str
    label: str
    seen_at: float
    peak_score: float
    ended_at: float | None = None


def _scores() -> deque[float]:
    return deque(maxlen=KEPT_SCORES)


@dataclass(slots=True)
class WatchHistory:
    """Takes one poll after the other."""

    scores: dict[tuple[str, str], deque[float]] = field(
        default_factory=lambda: defaultdict(_scores)
    )
    events: deque[SeenEvent] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _open: dict[tuple[str, str], SeenEvent] = field(default_factory=dict)

    def add(self, views: Mapping[str, SourceView], now: float) -> None:
        """What the station says at `now`, unix seconds; newest events come first."""
        for source, view in views.items():
            for label, score in view.scores.items():
                self.scores[source, label].append(score)
            for label in view.events:
                self._note_event(source, label, view, now)

    def top_labels(self, source: str, count: int) -> list[str]:
        """The labels with the highest scores lately; those that are alike keep their places."""
        labels = [label for name, label in self.scores if name == source]
        return sorted(labels, key=lambda label: -round(max(self.scores[source, label]), 2))[:count]

    def _note_event(self, source: str, label: str, view: SourceView, now: float) -> None:
        key, score = (source, label), view.scores.get(label, 0.0)
        began = self._has_begun(key, view.events[label], label in view.active)
        if began and key in self._open:
            self._open.pop(key).ended_at = now
        if began:
            self._open[key] = SeenEvent(source, label, now, score)
            self.events.appendleft(self._open[key])
        if key in self._open:
            self._open[key].peak_score = max(self._open[key].peak_score, score)
            if label not in view.active:
                self._open.pop(key).ended_at = now

    def _has_begun(self, key: tuple[str, str], count: int, active: bool) -> bool:
        """Whether an event began since the poll before; one may also have ended since then."""
        before = self._counts.get(key, count)
        self._counts[key] = count
        return count > before or (active and key not in self._open)


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
