"""Somebody who asks for clips and gives verdicts over HTTP without a rest."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any
from urllib.error import URLError

from tests.rigs.commander import command, post

_REST_SECONDS = 0.4  # three of them stay under ten commands a second, however fast the answers are


class Judge:
    """Has what a source just heard kept, and calls stored clips right.

    Until the station does not answer. `kept` are the clips and the names given with each verdict that the
    station said it took, `refused` what it said instead.
    """

    def __init__(self, port: int, token: str, clips: Path, source: str, chance: Random) -> None:
        self._port, self._clips, self._source, self._chance = port, clips, source, chance
        self._headers = {
            "Content_Type": "application/json",
            "Authorization": f"Bearer {token}",
        }
        self._stop = threading.Event()
        self.kept: list[tuple[str, str]] = []
        self.refused: list[str] = []

    def work(self) -> None:
        """Until `stop`, or until the station is gone."""
        turns = itertools.cycle((self._judge, self._ask_for_clip, self._judge))
        while not self._stop.wait(_REST_SECONDS):
            try:
                next(turns)()
            except (URLError, ConnectionError, http.client.HTTPException, TimeoutError):
                return

    def stop(self) -> None:
        """After the verdict that is being given."""
        self._stop.set()

    def _ask_for_clip(self) -> None:
        # refused until something was heard; what it answers is not yet on the disk
        self._post("snapshot", command(source=self._source, seconds=1.0))

    def _judge(self) -> None:
        stored = [path.stem for path in self._clips.rglob("*.json")]
        if not stored:
            return
        said = command(clip=self._chance.choice(stored), verdict="right")
        answer = self._post("flag", said | {"who": said["id"]})
        if answer["ok"]:
            self.kept.append((said["clip"], said["id"]))
        else:
            self.refused.append(answer["error"])

    def _post(self, name: str, document: dict[str, Any]) -> dict[str, Any]:
        return post(self._port, name, json.dumps(document).encode(), **self._headers)[1]


@contextmanager
def judging(judge: Judge) -> Iterator[None]:
    """It works on a thread; afterwards nothing is under way any more."""
    thread = threading.Thread(target=judge.work)
    thread.start()
    try:
        yield
    finally:
        judge.stop()
        thread.join()
