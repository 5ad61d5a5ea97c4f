"""What the review page waits for: its questions to a large clip store, as real requests with the token."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figures import Aim, Figure
from listener.clips.store import ClipStore
from listener.config.station import ReviewSettings
from listener.control.commands import Command, CommandError
from listener.control.dispatcher import Answer, CommandDispatcher
from listener.control.http_commands import HttpCommands
from listener.detection.bundle import Label, Manifest
from listener.detection.policy import LabelPolicy
from listener.health import Health
from listener.review.live import LiveView, Timeline
from listener.review.routes import ReviewParts
from listener.review.server import ReviewServer

_REPEATS = 30
_LIST_MS, _SIMILAR_MS = 100.0, 200.0
_APART_SECONDS = 0.02  # the page takes at most 100 requests a second
_TIMEOUT_SECONDS = 10.0
_TOKEN = "a-token-of-the-benchmark"
# not a loopback address: there every question needs the token
_SETTINGS = ReviewSettings(enabled=True, host="0.0.0.0", port=0)


class _NothingChanges:
    def handle(self, command: Command, origin: str) -> Answer:
        raise CommandError(f"{origin}: {command}: a benchmark only asks")


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is open in somebody's browser."""

    port: int
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {_TOKEN}"})

    def ask(self, path: str) -> Any:
        """The JSON at a path under /api.

        Raises:
            RuntimeError: another answer than 200.
        """
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_SECONDS)
        with closing(wire):
            wire.request("GET", f"/api/{path}", headers=self.headers)
            answer = wire.getresponse()
            body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{path}: expected an answer, got {answer.status}: {body!r}")
        return json.loads(body)

    def measure(self, path: str) -> tuple[float, ...]:
        """Milliseconds from the connection to the last byte, understood, one a repeat."""
        values = []
        for _ in range(_REPEATS):
            time.sleep(_APART_SECONDS)
            began = time.perf_counter()
            self.ask(path)
            values.append((time.perf_counter() - began) * 1000)
        return tuple(values)


def measure_pages(store: ClipStore, labels: tuple[str, ...], part: str) -> list[Figure]:
    """A figure for each question; the median is held to the aim, the table shows the longest beside it."""
    with _serve(store, labels) as page:
        newest = page.ask("clips?limit=1")[0]["id"]
        middle = page.ask("queue?limit=100")[-1]["id"]
        questions = {
            "list, newest 50": ("clips?limit=50", _LIST_MS),
            "list, 50 after a clip": (f"clips?limit=50&after={middle}", _LIST_MS),
            "list, 50 with a verdict": ("clips?limit=50&verdict=any", _LIST_MS),
            "list, 50 of a label and source": (
                f"clips?limit=50&source=hall&label={labels[7]}",
                _LIST_MS,
            ),
            "list, nothing found": ("clips?limit=50&reason=ambient&verdict=wrong", _LIST_MS),
            "list, newest 100": ("clips?limit=100", _LIST_MS),
            "review queue, 50": ("queue?limit=50", _LIST_MS),
            "find more like this, 8": (f"clips/{newest}/similar?limit=8", _SIMILAR_MS),
            "find more like this, 100": (f"clips/{middle}/similar?limit=100", _SIMILAR_MS),
            "the station": ("station", _LIST_MS),
        }
        return [
            Figure(f"{part} over HTTP", what, "ms", page.measure(path), Aim("at most", limit))
            for what, (path, limit) in questions.items()
        ]


@contextmanager
def _serve(store: ClipStore, labels: tuple[str, ...]) -> Iterator[Page]:
    manifest = Manifest(
        "bench",
        1,
        "2026-01-01T00:00:00+00:00",
        tuple(Label(slug, slug) for slug in labels),
        dict.fromkeys(labels, LabelPolicy()),
    )
    live = LiveView(["hall"], manifest, Timeline())
    server = ReviewServer(_SETTINGS, ReviewParts("bench", live, store))
    dispatcher = CommandDispatcher(_NothingChanges(), Health(labels, "bench@1"))
    server.serve_commands(HttpCommands(dispatcher, _TOKEN.encode()))
    server.start()
    try:
        yield Page(server.port)
    finally:
        server.close()
