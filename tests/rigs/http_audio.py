"""An HTTP server with audio to give, and the faults of real ones."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Page:
    """What a path answers.

    `stall_after_bytes`: the body stops there and the connection stays open. `login`: "user:password"
    that is asked for. `chunked`: chunked transfer, whose end the client cannot foresee.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = "audio/wav"
    chunked: bool = False
    stall_after_bytes: int | None = None
    login: str | None = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path.partition("?")[0], Page(status=404))
        if page.login is not None and not self._is_logged_in(page.login):
            page = Page(status=401)
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        if page.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="rig"')
        if page.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        try:
            self._send_body(page)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has heard enough

    def _is_logged_in(self, login: str) -> bool:
        expected = "Basic " + base64.b64encode(login.encode()).decode()
        return self.headers.get("Authorization") == expected

    def _send_body(self, page: Page) -> None:
        body = page.body[: page.stall_after_bytes]
        for at in range(0, len(body), 4096):
            block = body[at : at + 4096]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block) if page.chunked else block)
        if page.stall_after_bytes is not None:
            self.wfile.flush()
            self.server.stopping.wait()
        elif page.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, pages: Mapping[str, Page]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages = pages
        self.stopping = threading.Event()


@contextmanager
def http_server(pages: Mapping[str, Page]) -> Iterator[str]:
    """Serves the pages on a free port; gives "127.0.0.1:PORT"."""
    server = _Server(pages)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
