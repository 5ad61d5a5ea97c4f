"""The review page and its JSON API as a FastAPI app, behind a guard."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from email.message import Message
from http import HTTPStatus
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from listener.config.station import ReviewSettings
from listener.control.http_commands import COMMAND_PATH, HttpCommandError, HttpCommands
from listener.detection.clip import ClipError, UnknownClipError
from listener.review.routes import ClipPages, ReviewParts, StationPages

API = "/api"
PAGE = Path(__file__).parent / "page"
REQUESTS_PER_SECOND = 100
_LINGER_SECONDS = 1.0
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_OFF = "commands are off (control.http_token_file)"
_WORKERS = 4  # threads that read clips; a picture costs tens of milliseconds of a core


_HEADERS = {
    # the page loads nothing from elsewhere, and no other page may embed it
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; media-src 'self' blob:; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Connection": "close",  # one request per connection, so that no client can drip a second one
}


class Guard:
    """Middleware: checks host, rate, method and token before a request reaches the app.

    Commands need the token; on an address that others can reach, every API request does. On a loopback
    address the Host header must name it, against DNS rebinding.
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
        self._recent: deque[float] = deque(maxlen=REQUESTS_PER_SECOND)  # monotonic seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it to the app."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
        except HttpCommandError as error:
            await _refuse(error, scope, receive, _with_headers(send))
        else:
            await self._app(scope, receive, _with_headers(send))

    def _check(self, scope: Scope) -> None:
        headers: Message[str, str] = Message()
        for name, value in Headers(scope=scope).items():
            headers[name] = value
        self._check_host(headers.get("Host", ""))
        now = self._monotonic()
        if len(self._recent) == REQUESTS_PER_SECOND and now - self._recent[0] < 1.0:
            reason = f"expected at most {REQUESTS_PER_SECOND} requests a second"
            raise HttpCommandError(HTTPStatus.TOO_MANY_REQUESTS, reason)
        self._recent.append(now)
        path = scope["path"]
        if scope["method"] == "POST":
            if not path.startswith(API + COMMAND_PATH):
                raise HttpCommandError(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET")
            self._enabled_commands().body_size(path.removeprefix(API), headers)
        elif scope["method"] != "GET":
            raise HttpCommandError(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET or POST")
        elif path.startswith(API) and not self._settings.is_local:
            self._enabled_commands().check_sender(headers)

    def _check_host(self, host: str) -> None:
        name = host.lower() if host.endswith("]") else host.lower().rpartition(":")[0] or host
        if self._settings.is_local and name not in (*_LOCAL_NAMES, self._settings.host):
            reason = f"expected a request to {', '.join(_LOCAL_NAMES)}, got {host[:64]!r}"
            raise HttpCommandError(HTTPStatus.MISDIRECTED_REQUEST, reason)

    def _enabled_commands(self) -> HttpCommands:
        if self._commands is None:
            raise HttpCommandError(HTTPStatus.FORBIDDEN, _OFF)
        return self._commands


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
    # read the rest of the body for a moment: else the client may not see the answer
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    await send({"type": "http.response.body"})


def create_app(
    parts: ReviewParts, settings: ReviewSettings, commands: HttpCommands | None
) -> ASGIApp:
    """The guarded app; without `commands` it only reads."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=_few_threads)
    station = StationPages(parts, commands)
    for path, page in station.routes.items():
        app.add_api_route(API + path, page, methods=["GET"])
    for path, page in ClipPages(parts.clips).routes.items():
        app.add_api_route(API + path, page, methods=["GET"])
    if commands is not None:
        app.add_api_route(API + "/command/{name}", station.command, methods=["POST"])
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    for kind, handler in _ERROR_HANDLERS.items():
        app.add_exception_handler(kind, handler)
    return Guard(app, settings, commands)


@contextlib.asynccontextmanager
async def _few_threads(_app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = _WORKERS
    yield


def _answer(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"ok": False, "error": reason}, status)


def _wrong_value(_request: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    lines = [f"{'.'.join(str(part) for part in p['loc'][1:])}: {p['msg']}" for p in problems]
    return _answer(HTTPStatus.BAD_REQUEST, "; ".join(lines))


def _http_error(_request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.BAD_REQUEST
    return _answer(status, HTTPStatus(status).phrase.lower())


_ERROR_HANDLERS: dict[type[Exception], Callable[[Request, Exception], JSONResponse]] = {
    HttpCommandError: lambda _, error: _answer(getattr(error, "status", 400), str(error)),
    UnknownClipError: lambda _, error: _answer(HTTPStatus.NOT_FOUND, str(error)),
    ClipError: lambda _, error: _answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error)),
    RequestValidationError: _wrong_value,
    HTTPException: _http_error,
}
