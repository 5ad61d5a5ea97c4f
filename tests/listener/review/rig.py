"""A review server with three clips, its commands carried out on a thread as the daemon would."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from listener.clips.store import ClipStore
from listener.config.station import ReviewSettings
from listener.control.commands import CommandError, Mute, SetThreshold, Unmute
from listener.control.dispatcher import Answer, CommandDispatcher, RateLimit
from listener.control.handlers import StationCommands
from listener.control.http_commands import HttpCommands
from listener.detection.bundle import Label, Manifest
from listener.detection.clip import ClipRecord
from listener.detection.clip_files import record_bytes
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.health import Health
from listener.review.live import LiveView, Timeline
from listener.review.routes import ReviewParts
from listener.review.server import ReviewServer
from listener.worker import WorkThread
from tests.listener.clips.drafts import make_draft, open_store

POLICY = LabelPolicy(on_threshold=0.5, off_threshold=0.3, smoothing_seconds=1.44)
TOKEN = "a-token-of-the-tests"
MANIFEST = Manifest(
    name="test",
    version=1,
    created="2026-01-01T00:00:00+00:00",
    labels=(Label("dog", "Dog"), Label("glass", "Glass")),
    policies=dict.fromkeys(("dog", "glass"), POLICY),
    features=FeatureParams(),
    provenance={},
)


class NothingElse:
    """Neither rules nor bundles can be changed."""

    def mute(self, command: Mute) -> Answer:
        raise CommandError(f"not here: {command}")

    def unmute(self, command: Unmute) -> Answer:
        raise CommandError(f"not here: {command}")

    def set_threshold(self, command: SetThreshold) -> Answer:
        raise CommandError(f"not here: {command}")

    def reload(self) -> Answer:
        raise CommandError("not here")


@dataclass
class Rig:
    """What a test may ask and look at."""

    server: ReviewServer
    store: ClipStore
    live: LiveView

    @property
    def clips(self) -> tuple[ClipRecord, ...]:
        """Newest first."""
        return self.store.find()

    def state(self) -> list[bytes]:
        """All that requests could change."""
        return [record_bytes(record) for record in self.clips]

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Status, body and headers of an answer."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        wire = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        with closing(wire):
            wire.request(method, path, body, named)
            answer = wire.getresponse()
            return answer.status, answer.read(), answer.msg

    def read(self, path: str) -> Any:
        """The JSON at a path under /api."""
        status, body, _ = self.ask("GET", f"/api/{path}")
        assert status == 200, body
        return json.loads(body)

    def command(self, name: str, **fields: Any) -> tuple[int, Any]:
        """A command with the token."""
        status, body, _ = self.ask("POST", f"/api/command/{name}", document(**fields), **WITH_TOKEN)
        return status, json.loads(body)


WITH_TOKEN = {"Authorization": f"Bearer {TOKEN}", "Content_Type": "application/json"}
_NUMBERS = itertools.count()


def document(**fields: Any) -> bytes:
    """The body of a fresh command."""
    known = {"id": f"test-{next(_NUMBERS)}", "at": datetime.now(UTC).isoformat()}
    return json.dumps(known | fields).encode()


@contextmanager
def review_rig(
    directory: Path, *, token: str | None = TOKEN, host: str = "127.0.0.1"
) -> Iterator[Rig]:
    """A server that runs."""
    store = open_store(directory)
    for number, embedding in enumerate([(1.0, 0.0), (0.0, 1.0), (0.9, 0.1)]):
        store.add(make_draft(number, embedding=embedding, score=0.5 + number / 10))
    live = LiveView(["hall"], MANIFEST, Timeline())
    health = Health(("dog", "glass"), "test@1")
    parts = ReviewParts("test", live, store)
    server = ReviewServer(ReviewSettings(enabled=True, host=host, port=0), parts)
    nothing = NothingElse()
    worker = WorkThread("clips", health, {})
    handler = StationCommands(nothing, nothing, ("hall",), store, worker=worker)
    dispatcher = CommandDispatcher(handler, health)
    control = WorkThread("control", health, {"commands": dispatcher})
    dispatcher.wake = control.wake
    dispatcher._rate_limit = RateLimit(
        itertools.count().__next__
    )  # any number of commands a second
    if token is not None:
        server.serve_commands(HttpCommands(dispatcher, token.encode(), "review"))
    for thread in (worker, control):
        thread.start()
    server.start()
    try:
        yield Rig(server, store, live)
    finally:
        for thread in (control, worker):
            thread.close()
        server.close()
        store.close()
