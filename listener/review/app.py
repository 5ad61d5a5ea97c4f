"""The page and what it asks for, as a FastAPI app."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import Message
from http import HTTPStatus
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse as JSONResponse_app
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from listener.config.station import ReviewSettings
from listener.control.http_commands import COMMAND_PATH, HttpCommandError, HttpCommands
from listener.detection.clip import ClipError, UnknownClipError
from listener.review.routes import ClipPages, ReviewParts, StationPages

API = "/api"
REQUESTS_PER_SECOND = 100
_LINGER_SECONDS = 1.0
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_OFF = "what changes something is off (control.http_token_file)"
_WORKERS = 4  # threads that read clips; a picture costs tens of milliseconds of a core


# Who and what is let in before a request is looked at, and what every answer says to the browser.


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
        commands: HttpCommands | None,
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
        except HttpCommandError as error:
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
            raise HttpCommandError(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET or POST")
        elif scope["path"].startswith(API) and not self._settings.is_local:
            self._post().check_sender(headers)

    def _check_host(self, host: str) -> None:
        name = host.lower() if host.endswith("]") else host.lower().rpartition(":")[0] or host
        if self._settings.is_local and name not in (*_LOCAL_NAMES, self._settings.host):
            reason = f"expected a request to {', '.join(_LOCAL_NAMES)}, got {host[:64]!r}"
            raise HttpCommandError(HTTPStatus.MISDIRECTED_REQUEST, reason)

    def _take_turn(self) -> None:
        now = self._monotonic()
        if len(self._turns) == REQUESTS_PER_SECOND and now - self._turns[0] < 1.0:
            reason = f"expected at most {REQUESTS_PER_SECOND} requests a second"
            raise HttpCommandError(HTTPStatus.TOO_MANY_REQUESTS, reason)
        self._turns.append(now)

    def _admit_command(self, path: str, headers: Message[str, str]) -> None:
        if not path.startswith(API + COMMAND_PATH):
            raise HttpCommandError(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET")
        self._post().body_size(path.removeprefix(API), headers)

    def _post(self) -> HttpCommands:
        if self._commands is None:
            raise HttpCommandError(HTTPStatus.FORBIDDEN, _OFF)
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


async def _refuse(error: HttpCommandError, scope: Scope, receive: Receive, send: Send) -> None:
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


PAGE = Path(__file__).parent / "page"


def create_app(
    parts: ReviewParts, settings: ReviewSettings, commands: HttpCommands | None
) -> ASGIApp:
    """The guarded app; without `commands` nothing can be changed."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=_few_threads)
    station = StationPages(parts, commands)
    for path, page in station.routes.items():
        app.add_api_route(API + path, page, methods=["GET"])
    for path, page in ClipPages(parts.clips).routes.items():
        app.add_api_route(API + path, page, methods=["GET"])
    if commands is not None:
        app.add_api_route(API + "/command/{name}", station.command, methods=["POST"])
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    _answer_errors(app)
    return Guard(app, settings, commands)


@asynccontextmanager
async def _few_threads(_app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = _WORKERS
    yield


def _answer_errors(app: FastAPI) -> None:
    app.add_exception_handler(HttpCommandError, _post_error)
    app.add_exception_handler(UnknownClipError, _unknown_clip)
    app.add_exception_handler(ClipError, _clip_error)
    app.add_exception_handler(RequestValidationError, _wrong_value)
    app.add_exception_handler(HTTPException, _http_error)


def _answer(status: int, reason: str) -> JSONResponse_app:
    return JSONResponse_app({"ok": False, "error": reason}, status)


def _post_error(_request: Request, error: Exception) -> JSONResponse_app:
    status = error.status if isinstance(error, HttpCommandError) else HTTPStatus.BAD_REQUEST
    return _answer(status, str(error))


def _unknown_clip(_request: Request, error: Exception) -> JSONResponse_app:
    return _answer(HTTPStatus.NOT_FOUND, str(error))


def _clip_error(_request: Request, error: Exception) -> JSONResponse_app:
    return _answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error))


def _wrong_value(_request: Request, error: Exception) -> JSONResponse_app:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    lines = [f"{'.'.join(str(part) for part in p['loc'][1:])}: {p['msg']}" for p in problems]
    return _answer(HTTPStatus.BAD_REQUEST, "; ".join(lines))


def _http_error(_request: Request, error: Exception) -> JSONResponse_app:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.BAD_REQUEST
    return _answer(status, HTTPStatus(status).phrase.lower())
