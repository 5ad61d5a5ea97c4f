"""What the page asks of the station: what it is, what it hears, and that it does something."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect

from listener.control.http_commands import COMMAND_PATH, CommandPost, PostError
from listener.review.live import MAX_WATCHERS, LiveView
from listener.review.parts import ReviewParts
from listener.review.timeline import KEPT_EVENTS, EventItem

BODY_SECONDS = 5.0
BEAT_SECONDS = 5.0  # how soon both sides notice that the other one is gone

_BEAT = '{"kind":"beat"}\n'
_WAITING_COMMANDS = 4


class StationPages:
    """Answers about the station as JSON."""

    def __init__(self, parts: ReviewParts, commands: CommandPost | None) -> None:
        self._parts, self._live, self._commands = parts, parts.live, commands
        self._room = CapacityLimiter(_WAITING_COMMANDS)

    @property
    def routes(self) -> dict[str, Callable[..., Any]]:
        """What answers at each path."""
        return {"/station": self.station, "/events": self.events, "/live": self.live}

    def station(self) -> dict[str, Any]:
        """What does not change often; `now` lets the page set its clock by the station's."""
        clips = self._parts.clips
        totals = None if clips is None else clips.totals()
        return {
            "station": self._parts.station,
            "now": time.time(),
            "sources": self._live.sources,
            "labels": self._live.label_names,
            "new_labels": self._parts.new_labels,
            "clips": None if totals is None else {"stored": totals.clips, "judged": totals.judged},
            "commands": self._commands is not None,
        }

    def events(
        self, limit: Annotated[int, Query(ge=1, le=KEPT_EVENTS)] = KEPT_EVENTS
    ) -> list[EventItem]:
        """The newest events."""
        return self._live.timeline.newest(limit)

    async def live(self) -> StreamingResponse:
        """A line of JSON for each thing that happens, until one side goes."""
        if self._live.full:
            reason = f"expected at most {MAX_WATCHERS} who look on"
            raise PostError(HTTPStatus.SERVICE_UNAVAILABLE, reason)
        return StreamingResponse(_lines(self._live), media_type="application/x-ndjson")

    async def command(self, name: str, request: Request) -> JSONResponse:
        """Carry out a command, whose sender and size the guard has looked at."""
        if self._commands is None:
            raise PostError(HTTPStatus.FORBIDDEN, "commands are off")
        body = await _body(request)
        answer = await to_thread.run_sync(
            self._commands.deliver, COMMAND_PATH + name, body, limiter=self._room
        )
        return JSONResponse(answer, HTTPStatus.OK if answer["ok"] else HTTPStatus.BAD_REQUEST)


async def _body(request: Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.body()
    except TimeoutError as error:
        reason = f"expected the whole body within {BODY_SECONDS:g} s"
        raise PostError(HTTPStatus.REQUEST_TIMEOUT, reason) from error
    except ClientDisconnect as error:
        raise PostError(HTTPStatus.BAD_REQUEST, "the body ended early") from error


async def _lines(live: LiveView) -> AsyncIterator[str]:
    loop, come = asyncio.get_running_loop(), asyncio.Event()
    with live.watching(partial(loop.call_soon_threadsafe, come.set)) as watcher:
        yield _BEAT
        while not watcher.ended:
            for line in watcher.take():
                yield line
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await come.wait()
            except TimeoutError:
                yield _BEAT
            come.clear()
