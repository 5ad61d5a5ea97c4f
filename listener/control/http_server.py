"""/metrics, /healthz, /readyz and commands over HTTP; small and bounded."""

import io
import json
import logging
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from listener.config.station import ConfigError, HttpSettings
from listener.control.dispatcher import Answer
from listener.control.http_commands import COMMAND_PATH, HttpCommandError, HttpCommands
from listener.health import Health

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 8
REQUEST_SECONDS = 5.0  # for the head, for the body, and for the client to read the answer
REQUEST_BYTES = 8 * 1024  # request line and headers
CLOSE_SECONDS = 1.0
_DRAIN_SECONDS = 1.0
_DRAIN_BYTES = 64 * 1024
_TEXT = "text/plain; charset=utf-8"
_OFF = "commands over HTTP are off (control.http_token_file)"
_BUSY = b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


class HttpServer:
    """Serves until it is closed; the constructor binds the address.

    Raises:
        ConfigError: the address cannot be bound, for instance because the port is in use.
    """

    def __init__(self, settings: HttpSettings, health: Health, registry: CollectorRegistry) -> None:
        try:
            self._server = _Server(settings, health, registry)
        except OSError as error:
            raise ConfigError(
                f"http: expected a free address, got {settings.host}:{settings.port}: "
                f"{error.strerror}"
            ) from error
        self._thread = threading.Thread(target=self._server.serve, name="http", daemon=True)

    @property
    def port(self) -> int:
        """The port; chosen by the system if the settings say 0."""
        return int(self._server.server_address[1])

    def serve_commands(self, commands: HttpCommands) -> None:
        """Serve POST /command/<name>, too; call before `start`. Without it every POST is refused."""
        self._server.commands = commands

    def start(self) -> None:
        """Serve on a thread, with one more thread for each connection."""
        self._thread.start()

    def close(self) -> None:
        """Accept no more requests; returns within a second, also if it never started."""
        if self._thread.is_alive():
            self._server.stop()
            self._thread.join(CLOSE_SECONDS)
        self._server.server_close()


class _Server(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    timeout = 0.0  # of handle_request: the client may be gone before it accepts
    daemon_threads = True  # a slow reader does not keep the process alive
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, settings: HttpSettings, health: Health, registry: CollectorRegistry) -> None:
        self.settings = settings
        self.health = health
        self.registry = registry
        self.commands: HttpCommands | None = None
        self._full = False  # refusals are logged once in a row
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.address_family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        self._stopper, self._stopped = socket.socketpair()
        super().__init__((settings.host, settings.port), _Handler)

    def serve(self) -> None:
        """Serve until `stop`; sleeps while there is no request, where serve_forever() polls."""
        with selectors.DefaultSelector() as selector:
            for wire in (self.socket, self._stopped):
                selector.register(wire, selectors.EVENT_READ)
            while all(key.fileobj is not self._stopped for key, _ in selector.select()):
                self.handle_request()

    def stop(self) -> None:
        """End `serve`; from another thread."""
        self._stopper.send(b"stop")

    def server_close(self) -> None:
        super().server_close()
        self._stopper.close()
        self._stopped.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            self._full = False
            super().process_request(request, client_address)
            return
        if not self._full:
            log.warning("http: %d connections are open, others are refused", MAX_CONNECTIONS)
        self._full = True
        request.setblocking(False)
        request.send(_BUSY)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        error = sys.exc_info()[1]
        if isinstance(error, OSError):  # the client went away or took too long
            log.debug("http: %s: %s", client_address, error)
        else:
            log.error("http: %s", client_address, exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    """One request; HTTP/1.0, so connections are not reused."""

    server: _Server
    rfile: io.BytesIO
    timeout = REQUEST_SECONDS  # of each read, and of the whole answer
    server_version = "earshot"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BytesIO(_receive(self.connection, b"", REQUEST_BYTES, _has_end))

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if len(self.rfile.getbuffer()) >= REQUEST_BYTES and not _has_end(self.rfile.getvalue()):
            self.request_version = self.protocol_version  # the line may be cut off before it
            self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"request too large\n")
            return False
        posted = self.command == "POST" and self.path.startswith(COMMAND_PATH)
        if self.command != "GET" and not posted:
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, b"only GET\n")
            return False
        return True

    def do_GET(self) -> None:
        """Answer /metrics, /healthz and /readyz; 404 elsewhere."""
        match self.path.partition("?")[0]:
            case "/metrics":
                encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._answer(HTTPStatus.OK, encode(self.server.registry), content_type)
            case "/healthz":
                self._answer_faults(self.server.health.stalled())
            case "/readyz":
                within_seconds = self.server.settings.ready_within_seconds
                self._answer_faults(self.server.health.unready(within_seconds))
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"there is /metrics, /healthz and /readyz\n")

    def do_POST(self) -> None:
        """Answer a command, or say why it is refused."""
        try:
            answer = self._command(self.server.commands)
        except HttpCommandError as error:
            self._answer_json(error.status, {"ok": False, "error": str(error)})
            _drain(self.connection)
        else:
            self._answer_json(HTTPStatus.OK if answer["ok"] else HTTPStatus.BAD_REQUEST, answer)

    def _command(self, commands: HttpCommands | None) -> Answer:
        if commands is None:
            raise HttpCommandError(HTTPStatus.FORBIDDEN, _OFF)
        size = commands.body_size(self.path, self.headers)
        body = _receive(self.connection, self.rfile.read()[:size], size)
        if len(body) < size:
            reason = f"expected {size} bytes, got {len(body)}"
            raise HttpCommandError(HTTPStatus.BAD_REQUEST, reason)
        return commands.deliver(self.path, body)

    def _answer_json(self, status: HTTPStatus, answer: Answer) -> None:
        self._answer(status, json.dumps(answer).encode() + b"\n", "application/json")

    def _answer_faults(self, faults: list[str]) -> None:
        status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
        self._answer(status, ("\n".join(faults or ["ok"]) + "\n").encode())

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str = _TEXT) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        log.debug("http: %s " + format, self.address_string(), *args)


def _receive(
    connection: socket.socket,
    received: bytes,
    size: int,
    is_whole: Callable[[bytes], bool] = lambda _: False,
) -> bytes:
    """Add to `received` up to `size` bytes in all, within REQUEST_SECONDS; less if the client ends."""
    deadline = time.monotonic() + REQUEST_SECONDS
    while len(received) < size and not is_whole(received):
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        more = connection.recv(size - len(received))
        if not more:
            break
        received += more
    connection.settimeout(REQUEST_SECONDS)
    return received


def _has_end(head: bytes) -> bool:
    return b"\r\n\r\n" in head or b"\n\n" in head


def _drain(connection: socket.socket) -> None:
    """Read and drop what still arrives, for a second at most.

    Closing a socket with unread bytes resets the connection, and the client would lose the answer.
    """
    connection.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + _DRAIN_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        if not connection.recv(_DRAIN_BYTES):
            break
