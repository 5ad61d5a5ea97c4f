"""The HTTP endpoints over real sockets."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from listener.config.station import ConfigError, HttpSettings
from listener.control import http_server as control
from listener.control.http_server import MAX_CONNECTIONS, REQUEST_BYTES, HttpServer
from listener.health import Health
from listener.sinks.metrics import metrics_registry

ANY_PORT = HttpSettings(port=0)


@pytest.fixture
def health() -> Health:
    health = Health(("smoke_alarm",), "home-alarms@3")
    health.add_source("hall").last_patch_at = time.time()
    return health


@pytest.fixture
def server(health: Health) -> Iterator[HttpServer]:
    server = HttpServer(ANY_PORT, health, metrics_registry(health))
    server.start()
    yield server
    server.close()


def ask(
    server: HttpServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, str, http.client.HTTPMessage]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode(), response.msg


def send(server: HttpServer, request: bytes) -> bytes:
    """What the server answers to these bytes until it closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        wire.sendall(request)
        answer = b""
        while received := wire.recv(65_536):
            answer += received
        return answer


def test_metrics_are_text_for_a_plain_client(server: HttpServer) -> None:
    status, body, headers = ask(server, "/metrics")
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
    assert "listener_patches" in {family.name for family in plain(body)}


def test_metrics_are_openmetrics_on_request(server: HttpServer) -> None:
    accept = "application/openmetrics-text;version=1.0.0"
    status, body, headers = ask(server, "/metrics?x=1", Accept=accept)
    assert (status, headers["Content-Type"].partition(";")[0]) == (
        200,
        "application/openmetrics-text",
    )
    families = openmetrics(body)
    assert "listener_patches" in {family.name for family in families}


def test_healthz_follows_the_heartbeats(server: HttpServer, health: Health) -> None:
    assert ask(server, "/healthz")[:2] == (200, "ok\n")
    health.heartbeats["inference"] = time.monotonic() - 3600.0
    status, body, _ = ask(server, "/healthz")
    assert (status, body[:27]) == (503, "inference: stalled for 3600")
    health.beat("inference")
    assert ask(server, "/healthz")[:2] == (200, "ok\n")


def test_readyz_says_what_is_not_ready(server: HttpServer, health: Health) -> None:
    assert ask(server, "/readyz")[:2] == (200, "ok\n")
    health.sources["hall"].last_patch_at = None
    health.engine_failed = True
    status, body, _ = ask(server, "/readyz")
    assert (status, body) == (503, "engine: failed\nsource hall: no patch analysed yet\n")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/favicon.ico"])
def test_other_paths_are_not_found(server: HttpServer, path: str) -> None:
    assert ask(server, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "BREW"])
def test_other_methods_than_get_are_refused(server: HttpServer, method: str) -> None:
    status, _, headers = ask(server, "/metrics", method)
    assert (status, headers["Allow"]) == (405, "GET")


def test_without_a_token_every_command_is_refused(server: HttpServer) -> None:
    """Commands with a token: tests/listener/test_remote_commands.py."""
    for path in ("/command/reload", "/command/", "/command/../metrics"):
        status, body, _ = ask(server, path, "POST", Authorization="Bearer ")
        assert (status, json.loads(body)["ok"]) == (403, False)
        assert "commands over HTTP are off" in body


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /" + b"x" * REQUEST_BYTES,
        b"GET /metrics HTTP/1.1\r\nX: " + b"x" * REQUEST_BYTES,
    ],
)
def test_a_request_that_is_too_large_is_refused(server: HttpServer, request_head: bytes) -> None:
    answer = send(server, request_head[:REQUEST_BYTES])
    assert answer.startswith(b"HTTP/1.0 431 ")


@pytest.mark.parametrize(
    "request_head", [b"\x00\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"GET / X/9\r\n\r\n"]
)
def test_a_malformed_request_is_refused(server: HttpServer, request_head: bytes) -> None:
    assert b"400" in send(server, request_head)


def test_an_empty_connection_gets_nothing(server: HttpServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        wire.shutdown(socket.SHUT_WR)
        assert wire.recv(100) == b""


def test_a_slow_request_is_cut_off_in_time(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "REQUEST_SECONDS", 0.5)
    stop = threading.Event()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        drip = threading.Thread(target=_drip, args=(wire, stop))
        drip.start()
        try:
            assert _read_to_end(wire) == b""
        finally:
            stop.set()
            drip.join()


def _drip(wire: socket.socket, stop: threading.Event) -> None:
    try:
        while not stop.wait(0.1):
            wire.sendall(b"x")
    except OSError:
        return  # the server has closed, as it should


def _read_to_end(wire: socket.socket) -> bytes:
    try:
        return wire.recv(100)
    except ConnectionResetError:
        return b""


def test_connections_over_the_limit_are_answered_503(server: HttpServer) -> None:
    with ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        for _ in range(MAX_CONNECTIONS):
            stack.enter_context(socket.create_connection(address, timeout=10))
        late = stack.enter_context(socket.create_connection(address, timeout=10))
        assert late.recv(100).startswith(b"HTTP/1.0 503 ")


def test_closed_connections_free_their_places(server: HttpServer) -> None:
    for _ in range(3 * MAX_CONNECTIONS):
        assert ask(server, "/healthz")[0] == 200


def test_a_port_in_use_is_one_clear_line(server: HttpServer, health: Health) -> None:
    settings = HttpSettings(port=server.port)
    with pytest.raises(ConfigError) as error:
        HttpServer(settings, health, metrics_registry(health))
    assert str(error.value) == (
        f"http: expected a free address, got 127.0.0.1:{server.port}: Address already in use"
    )


def test_a_host_of_another_machine_is_one_clear_line(health: Health) -> None:
    settings = ANY_PORT.model_copy(update={"host": "192.0.2.1"})
    with pytest.raises(ConfigError, match=r"http: expected a free address, got 192.0.2.1:0: "):
        HttpServer(settings, health, metrics_registry(health))


def test_a_closed_server_accepts_no_connection_and_may_close_before_it_starts(
    health: Health,
) -> None:
    server = HttpServer(ANY_PORT, health, metrics_registry(health))
    server.start()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=10)
    HttpServer(ANY_PORT, health, metrics_registry(health)).close()
