"""An HTTP server that takes what is posted to it, or does what broken ones do."""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.rigs.certificates import Certificates
from tests.rigs.mosquitto import wait_until


@dataclass(frozen=True, slots=True)
class Posted:
    """A request, and what it was answered."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def document(self) -> dict[str, Any]:
        """Its JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Inbox:
    """`faults` are the answers to the next requests: a status, or 0 to hang up; after them all are 204."""

    port: int = 0
    faults: deque[int] = field(default_factory=deque)
    requests: list[Posted] = field(default_factory=list)

    @property
    def taken(self) -> list[dict[str, Any]]:
        """The documents that were taken, in order."""
        return [posted.document for posted in self.requests if posted.status == 204]

    def wait_for(self, count: int, seconds: float = 40.0) -> list[dict[str, Any]]:
        """The documents that were taken, as soon as there are so many."""
        wait_until(
            lambda: len(self.taken) >= count, seconds, f"{count} documents, got {self.taken}"
        )
        return self.taken


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        inbox = self.server.inbox
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = inbox.faults.popleft() if inbox.faults else 204
        inbox.requests.append(Posted(self.path, dict(self.headers.items()), body, status))
        if status:
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, inbox: Inbox) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.inbox = inbox

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that will not have our certificate


@contextmanager
def http_inbox(
    inbox: Inbox | None = None, certificates: Certificates | None = None
) -> Iterator[Inbox]:
    """A server on a free port, or again on the one that the inbox had."""
    inbox = inbox or Inbox()
    server = _Server(inbox.port, inbox)
    inbox.port = server.server_port
    if certificates is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server, certificates.server_key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield inbox
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
