"""The web server of the review page: uvicorn on a thread of its own, with bounds."""

import asyncio
import socket
from collections.abc import Sequence
from threading import Thread

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from listener.clips import index, store
from listener.config.station import Config, ConfigError, ReviewSettings
from listener.control.http_commands import HttpCommands
from listener.detection.bundle import Bundle, Label
from listener.review.app import create_app
from listener.review.live import KEPT_EVENTS, EventItem, LiveView, Timeline, event_item
from listener.review.routes import ReviewParts

MAX_CONNECTIONS = 32
REQUEST_SECONDS = 5.0  # to send request line and headers
HEAD_BYTES = 8 * 1024
_EVENT_CLIPS = index.ClipFilter(reason="event")
_CLOSE_SECONDS = 2.0
_STREAM_END_SECONDS = 1


class ReviewServer:
    """Serves the page until it is closed; the constructor binds the address.

    Raises:
        ConfigError: the address is not free.
    """

    def __init__(self, settings: ReviewSettings, parts: ReviewParts) -> None:
        self._settings, self._parts = settings, parts
        self._commands: HttpCommands | None = None
        self._socket = _listen(settings)
        self._server: uvicorn.Server | None = None
        self._thread: Thread | None = None

    @property
    def port(self) -> int:
        """The bound port; the system chooses it if the settings say 0."""
        return int(self._socket.getsockname()[1])

    @property
    def live(self) -> LiveView:
        """The sink that feeds the live view."""
        return self._parts.live

    def serve_commands(self, commands: HttpCommands) -> None:
        """Accept commands with a token; called before `start`."""
        self._commands = commands

    def start(self) -> None:
        """Start the thread."""
        app = create_app(self._parts, self._settings, self._commands)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=HeadInTime,
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="error",  # no line per bad request
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=MAX_CONNECTIONS,
                h11_max_incomplete_event_size=HEAD_BYTES,
                timeout_graceful_shutdown=_STREAM_END_SECONDS,
            )
        )
        self._thread = Thread(
            target=self._server.run, args=([self._socket],), name="review", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop within two seconds; harmless if never started."""
        self._parts.live.close()
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_CLOSE_SECONDS)
        self._socket.close()


class HeadInTime(H11Protocol):
    """Closes a connection that sends no request in time; uvicorn would keep it for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer."""
        super().connection_made(transport)

        def close_if_silent() -> None:
            if self.conn.their_state is h11.IDLE:
                self.transport.close()

        self.loop.call_later(REQUEST_SECONDS, close_if_silent)


def _listen(settings: ReviewSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server(
            (settings.host, settings.port), family=family, backlog=MAX_CONNECTIONS
        )
    except OSError as error:
        raise ConfigError(
            f"review: expected a free address, got {settings.host}:{settings.port}: {error.strerror}"
        ) from error


def make_review(
    config: Config, bundle: Bundle, clips: store.ClipStore | None, groups: Sequence[Label] = ()
) -> ReviewServer:
    """The server of a station, bound to its address; its live view is a sink.

    Raises:
        ConfigError: the address is not free.
        ClipError: the store cannot be read.
    """
    sources = [source.name for source in config.sources]
    live = LiveView(sources, bundle.manifest, Timeline(_stored_events(clips)), groups)
    parts = ReviewParts(config.station, live, clips, config.clips.new_labels)
    return ReviewServer(config.review, parts)


def _stored_events(clips: store.ClipStore | None) -> list[EventItem]:
    """The events of stored clips, oldest first; one without an offset ends with its clip."""
    items: list[EventItem] = []
    for record in reversed(() if clips is None else clips.find(_EVENT_CLIPS, KEPT_EVENTS)):
        if record.event is not None:
            item = event_item(record.event, record.id)
            items.append(item | {"offset": item["offset"] or record.captured_at + record.seconds})
    return items
