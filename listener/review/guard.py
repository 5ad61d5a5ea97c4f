"""Who and what is let in before a request is looked at, and what every answer says to the browser."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from email.message import Message
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from listener.config.station import ReviewSettings
from listener.control.http_commands import COMMAND_PATH, CommandPost, PostError

API = "/api"
REQUESTS_PER_SECOND = 100

_LINGER_SECONDS = 1.0
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_OFF = "what changes something is off (control.http_token_file)"
_HEADERS = {
    # nothing is loaded from elsewhere, and nobody may show the page inside of theirs
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; media-src 'self' blob:; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Connection": "close",  # one request each: none can be sent a byte at a time for ever
}


class Guard:
    """Around the app. What asks for a change needs the token; all else, too, where others can reach it.

    On a loopback address the request must be meant for it: a page elsewhere whose name leads here (DNS
    rebinding) is not let in.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ReviewSettings,
        commands: CommandPost | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._app, self._settings, self._commands = app, settings, commands
        self._turns: deque[float] = deque(maxlen=REQUESTS_PER_SECOND)  # monotonic seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._admit(scope)
        except PostError as error:
            await _refuse(error, scope, receive, _with_headers(send))
        else:
            await self._app(scope, receive, _with_headers(send))

    def _admit(self, scope: Scope) -> None:
        headers = _message(scope)
        self._check_host(headers.get("Host", ""))
        self._take_turn()
        if scope["method"] == "POST":
            self._admit_command(scope["path"], headers)
        elif scope["method"] != "GET":
            raise PostError(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET or POST")
        elif scope["path"].startswith(API) and not self._settings.is_local:
            self._post().check_sender(headers)

    def _check_host(self, host: str) -> None:
        name = host.lower() if host.endswith("]") else host.lower().rpartition(":")[0] or host
        if self._settings.is_local and name not in (*_LOCAL_NAMES, self._settings.host):
            reason = f"expected a request to {', '.join(_LOCAL_NAMES)}, got {host[:64]!r}"
            raise PostError(HTTPStatus.MISDIRECTED_REQUEST, reason)

    def _take_turn(self) -> None:
        now = self._monotonic()
        if len(self._turns) == REQUESTS_PER_SECOND and now - self._turns[0] < 1.0:
            reason = f"expected at most {REQUESTS_PER_SECOND} requests a second"
            raise PostError(HTTPStatus.TOO_MANY_REQUESTS, reason)
        self._turns.append(now)

    def _admit_command(self, path: str, headers: Message[str, str]) -> None:
        if not path.startswith(API + COMMAND_PATH):
            raise PostError(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET")
        self._post().body_size(path.removeprefix(API), headers)

    def _post(self) -> CommandPost:
        if self._commands is None:
            raise PostError(HTTPStatus.FORBIDDEN, _OFF)
        return self._commands


def _message(scope: Scope) -> Message[str, str]:
    message: Message[str, str] = Message()
    for name, value in Headers(scope=scope).items():
        message[name] = value
    return message


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: AsgiMessage) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return send_with_headers


async def _refuse(error: PostError, scope: Scope, receive: Receive, send: Send) -> None:
    response = JSONResponse({"ok": False, "error": str(error)}, error.status)
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"

    async def send_all_but_the_end(message: AsgiMessage) -> None:
        await send({**message, "more_body": True})

    await response(scope, receive, send_all_but_the_end)
    await _linger(receive)
    await send({"type": "http.response.body"})


async def _linger(receive: Receive) -> None:
    """Throw away what still comes, for a second at most; else the sender might not see the answer."""
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        return
