"""The screen of `listener watch`: levels and scores of each source, and the newest events below."""

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

KEPT_SCORES = 60  # of each label, one a poll
_KEPT_EVENTS = 100
_TIMEOUT_SECONDS = 5.0
_EVENT_ROWS = 6
_SCORE_ROWS = 5
_OTHER_ROWS = 4  # the events' title, the line above it and the cursor's
_LEAST_CELLS = 8
_NUMBER_CELLS = 12  # "-120.0 dBFS"
_GAPS = 6  # around the columns
_NARROW = 50  # columns; below it labels are cut, so that numbers are not


@dataclass(slots=True)
class SourceView:
    """One source as its metrics show it; scores and events by label."""

    status: str = "offline"
    level_dbfs: float = SILENCE_DBFS
    scores: dict[str, float] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)  # counted since the station's start
    active: set[str] = field(default_factory=set)

    def top_scores(self, count: int) -> list[tuple[str, float]]:
        """The highest smoothed scores, with their labels."""
        return sorted(self.scores.items(), key=lambda item: -item[1])[:count]

    def update(self, metric: str, labels: Mapping[str, str], value: float) -> None:
        """Set what one sample of the source's metrics says; others are ignored."""
        match metric:
            case "listener_source_status" if value == 1:
                self.status = labels["status"]
            case "listener_level_dbfs":
                self.level_dbfs = value
            case "listener_score":
                self.scores[labels["label"]] = value
            case "listener_events_total":
                self.events[labels["label"]] = int(value)
            case "listener_event_active" if value == 1:
                self.active.add(labels["label"])


def fetch_views(address: str) -> dict[str, SourceView]:
    """The sources at the address of a station's /metrics.

    Raises:
        OSError, HTTPException: no answer.
        ValueError: not an address, or the answer is not a station's.
    """
    with urlopen(address, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the user's own
        return read_views(answer.read().decode())


def read_views(metrics: str) -> dict[str, SourceView]:
    """The sources in a text exposition of a station's metrics.

    Raises:
        ValueError: not a text exposition.
    """
    views: dict[str, SourceView] = defaultdict(SourceView)
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if "source" in sample.labels:
                views[sample.labels["source"]].update(sample.name, sample.labels, sample.value)
    return dict(views)


@dataclass(slots=True)
class SeenEvent:
    """An event seen in the polls; times are unix seconds of the polls, not of the sound."""

    source: str
    label: str
    seen_at: float
    peak_score: float
    ended_at: float | None = None


@dataclass(slots=True)
class WatchHistory:
    """The last scores of each source and label, and the newest events, from one poll after another."""

    scores: dict[tuple[str, str], deque[float]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=KEPT_SCORES))
    )
    events: deque[SeenEvent] = field(default_factory=lambda: deque(maxlen=_KEPT_EVENTS))
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _open: dict[tuple[str, str], SeenEvent] = field(default_factory=dict)

    def add(self, views: Mapping[str, SourceView], now: float) -> None:
        """Add a poll made at `now`, unix seconds; the newest events come first."""
        for source, view in views.items():
            for label, score in view.scores.items():
                self.scores[source, label].append(score)
            for label in view.events:
                self._update_event(source, label, view, now)

    def top_labels(self, source: str, count: int) -> list[str]:
        """The labels with the highest recent scores; equal ones keep their order."""
        labels = [label for name, label in self.scores if name == source]
        return sorted(labels, key=lambda label: -round(max(self.scores[source, label]), 2))[:count]

    def _update_event(self, source: str, label: str, view: SourceView, now: float) -> None:
        key, score, active = (source, label), view.scores.get(label, 0.0), label in view.active
        count = view.events[label]
        before = self._counts.get(key, count)
        self._counts[key] = count
        # between two polls an event may also end, or end and another begin
        if count > before or (active and key not in self._open):
            if key in self._open:
                self._open.pop(key).ended_at = now
            self._open[key] = SeenEvent(source, label, now, score)
            self.events.appendleft(self._open[key])
        if key in self._open:
            self._open[key].peak_score = max(self._open[key].peak_score, score)
            if not active:
                self._open.pop(key).ended_at = now


def watch_picture(
    views: Mapping[str, SourceView], history: WatchHistory, console: Console
) -> Group:
    """Levels, sparklines of the highest scores, and events, fitted to the size of the terminal."""
    free_rows = console.height - _EVENT_ROWS - _OTHER_ROWS
    score_rows = max(0, min(_SCORE_ROWS, free_rows // max(1, len(views)) - 1))
    # all names, not only those on top, so that the columns keep their widths
    names = [*views, *(f"  {label}" for view in views.values() for label in view.scores)]
    name_cells = min(max(map(len, names), default=1), console.width // 3)
    free_cells = console.width - name_cells - _NUMBER_CELLS - _GAPS
    cells = max(_LEAST_CELLS, min(KEPT_SCORES, free_cells))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, width=name_cells)
    table.add_column(no_wrap=True, width=cells)
    table.add_column(no_wrap=True, justify="right")
    for source, view in views.items():
        table.add_row(Text(source, style="bold"), *_level_cells(view, cells))
        for label in history.top_labels(source, score_rows):
            scores = list(history.scores[source, label])
            style = "bold red" if label in view.active else ""
            line = Text(sparkline(scores[-cells:]).rjust(cells), style or "cyan")
            table.add_row(Text(f"  {label}", style), line, Text(f"{scores[-1]:.2f}", style))
    return Group(table, Text(), _event_table(history, console.width))


def _level_cells(view: SourceView, cells: int) -> tuple[Text, str]:
    number = f"{view.level_dbfs:.1f} dBFS"
    match view.status:
        case "offline":
            return Text("offline", style="bold red"), number
        case "silent":
            return Text("silent", style="yellow"), number
        case "clipping":
            return level_bar(view.level_dbfs, cells, clipping=True), "clipping"
        case _:
            return level_bar(view.level_dbfs, cells), number


def _event_table(history: WatchHistory, width: int) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, max_width=width // 3 if width < _NARROW else None)
    table.add_column(no_wrap=True)
    table.add_row(Text("events", style="bold"))
    for event in list(history.events)[:_EVENT_ROWS]:
        style = "bold red" if event.ended_at is None else ""
        seen = time.strftime("%H:%M:%S", time.localtime(event.seen_at))
        lasted = "now" if event.ended_at is None else f"{event.ended_at - event.seen_at:.0f} s"
        facts = f"{lasted}, peak {event.peak_score:.2f}"
        table.add_row(seen, event.source, event.label, facts, style=style)
    return table
