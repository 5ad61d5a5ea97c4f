"""The page and what it asks for, as a FastAPI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from listener.config.station import ReviewSettings
from listener.control.http_commands import CommandPost, PostError
from listener.detection.clip import ClipError, UnknownClipError
from listener.review.clip_pages import ClipPages
from listener.review.guard import API, Guard
from listener.review.parts import ReviewParts
from listener.review.station_pages import StationPages

PAGE = Path(__file__).parent / "page"

_WORKERS = 4  # threads that read clips; a picture costs tens of milliseconds of a core


def create_app(
    parts: ReviewParts, settings: ReviewSettings, commands: CommandPost | None
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
    app.add_exception_handler(PostError, _post_error)
    app.add_exception_handler(UnknownClipError, _unknown_clip)
    app.add_exception_handler(ClipError, _clip_error)
    app.add_exception_handler(RequestValidationError, _wrong_value)
    app.add_exception_handler(HTTPException, _http_error)


def _answer(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"ok": False, "error": reason}, status)


def _post_error(_request: Request, error: Exception) -> JSONResponse:
    status = error.status if isinstance(error, PostError) else HTTPStatus.BAD_REQUEST
    return _answer(status, str(error))


def _unknown_clip(_request: Request, error: Exception) -> JSONResponse:
    return _answer(HTTPStatus.NOT_FOUND, str(error))


def _clip_error(_request: Request, error: Exception) -> JSONResponse:
    return _answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error))


def _wrong_value(_request: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    lines = [f"{'.'.join(str(part) for part in p['loc'][1:])}: {p['msg']}" for p in problems]
    return _answer(HTTPStatus.BAD_REQUEST, "; ".join(lines))


def _http_error(_request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.BAD_REQUEST
    return _answer(status, HTTPStatus(status).phrase.lower())
