"""What the /metrics of a running station say of its sources."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from listener.detection.audio import SILENCE_DBFS

_TIMEOUT_SECONDS = 5.0


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
