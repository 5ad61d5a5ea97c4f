"""Bad requests: each is refused with a reason, and nothing has changed."""

import asyncio
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from listener.config.load import parse_config
from listener.config.station import ConfigError, ReviewSettings
from listener.review import server as review_server
from listener.review.app import REQUESTS_PER_SECOND, Guard
from tests.listener.clips.drafts import clip_id
from tests.listener.review.rig import TOKEN, WITH_TOKEN, Rig, document, review_rig
from tests.rigs.mosquitto import wait_until

CLIP = clip_id(0)
FIFTY_MEGABYTES = 50_000_000


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with review_rig(tmp_path_factory.mktemp("review")) as rig:
        yield rig


def flag(**changes: Any) -> bytes:
    """A good verdict, but for these changes."""
    return document(**{"clip": CLIP, "verdict": "right"} | changes)


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def mark(label: str = "dog", onset: float = 0.0, offset: float = 1.0) -> dict[str, Any]:
    return {"label": label, "onset": onset, "offset": offset}


GOOD = WITH_TOKEN
FLAG = "/api/command/flag"
BAD_VERDICTS: dict[str, tuple[dict[str, str], Callable[[], bytes], int, str]] = {
    "no token": ({"Content_Type": "application/json"}, flag, 401, "Bearer and the token"),
    "another token": (
        GOOD | {"Authorization": "Bearer x"},
        flag,
        401,
        "Bearer and the token",
    ),
    "a token that begins right": (
        GOOD | {"Authorization": f"Bearer {TOKEN[:-1]}"},
        flag,
        401,
        "Bearer and the token",
    ),
    "another scheme": (GOOD | {"Authorization": f"Basic {TOKEN}"}, flag, 401, "Bearer"),
    "a cookie": ({"Cookie": f"token={TOKEN}"}, flag, 401, "Bearer"),
    "a form": (GOOD | {"Content_Type": "text/plain"}, flag, 415, "application/json"),
    "fifty megabytes": (GOOD, lambda: b"x" * FIFTY_MEGABYTES, 413, "at most 8192 bytes"),
    "a little too much": (GOOD, lambda: flag(who="x" * 8192), 413, "at most 8192 bytes"),
    "not JSON": (GOOD, lambda: b"clip=1", 400, "flag"),
    "bad UTF-8": (GOOD, lambda: b"\xff\xfe", 400, "flag"),
    "a list": (GOOD, lambda: b"[]", 400, "flag"),
    "stale": (GOOD, lambda: flag(at=at(-90.0)), 400, "at: expected within 60 s"),
    "from the future": (GOOD, lambda: flag(at=at(90.0)), 400, "at: expected within 60 s"),
    "a path as an id": (GOOD, lambda: flag(clip="../../../etc/passwd"), 400, "clip"),
    "a path of the right length": (
        GOOD,
        lambda: flag(clip="../../../../../../etc/pass"),
        400,
        "clip",
    ),
    "an id in small letters": (GOOD, lambda: flag(clip=CLIP.lower()), 400, "clip"),
    "an id of no clip": (
        GOOD,
        lambda: flag(clip=clip_id(99)),
        400,
        "expected the id of a stored clip",
    ),
    "another verdict": (GOOD, lambda: flag(verdict="maybe"), 400, "verdict"),
    "an unknown key": (GOOD, lambda: flag(path="/tmp/x"), 400, "unknown key"),
    "a label of no bundle": (
        GOOD,
        lambda: flag(verdict="labels", labels=[mark("../x")]),
        400,
        "label",
    ),
    "a span past the end": (
        GOOD,
        lambda: flag(verdict="labels", labels=[mark(offset=99.0)]),
        400,
        "expected an offset up to 2 s",
    ),
    "a span backwards": (
        GOOD,
        lambda: flag(verdict="labels", labels=[mark(onset=1.0, offset=0.5)]),
        400,
        "expected 0 <= onset < offset",
    ),
    "labels that are right": (GOOD, lambda: flag(labels=[mark()]), 400, "expected no labels"),
    "a name with a line break": (GOOD, lambda: flag(who="a\nb"), 400, "who"),
}


@pytest.mark.parametrize("kind", BAD_VERDICTS)
def test_a_bad_verdict_is_refused_with_a_reason(rig: Rig, kind: str):
    headers, make_body, status, reason = BAD_VERDICTS[kind]
    before = rig.state()
    answered, said, _ = rig.ask("POST", FLAG, make_body(), **headers)
    assert (answered, json.loads(said)["ok"]) == (status, False)
    assert reason in json.loads(said)["error"]
    assert rig.state() == before


def test_a_replayed_verdict_is_refused(tmp_path: Path):
    with review_rig(tmp_path) as rig:
        body = flag()
        assert rig.ask("POST", FLAG, body, **GOOD)[0] == 200
        before = rig.state()
        status, said, _ = rig.ask("POST", FLAG, body, **GOOD)
        assert status == 400
        assert "not used before" in json.loads(said)["error"]
        assert rig.state() == before


BAD_PATHS = {
    "a clip outside": "/api/clips/../../../etc/passwd",
    "a clip outside, encoded": "/api/clips/..%2f..%2f..%2fetc%2fpasswd/audio",
    "a clip of dots": "/api/clips/%2e%2e/audio",
    "another id": f"/api/clips/{clip_id(99)}",
    "no id": "/api/clips/x/audio",
    "a file outside the page": "/../server.py",
    "a file outside the page, encoded": "/%2e%2e/server.py",
    "a file from the root": "//etc/passwd",
    "a NUL": "/%00",
    "all clips at once": "/api/clips?limit=1000000",
    "a label with a quote": "/api/clips?label=%27%20OR%201=1",
    "nothing": "/api/nothing",
}


@pytest.mark.parametrize("kind", BAD_PATHS)
def test_a_bad_path_leads_nowhere(rig: Rig, kind: str):
    status, said, _ = rig.ask("GET", BAD_PATHS[kind])
    assert status in (400, 404)
    assert json.loads(said)["error"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_there_is_only_get_and_post(rig: Rig, method: str):
    assert rig.ask(method, f"/api/clips/{CLIP}", None, **GOOD)[0] == 405


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/clips", 405), ("/api/command/nothing", 404), ("/api/command/flag/../reload", 404)],
)
def test_nothing_else_takes_a_post(rig: Rig, path: str, status: int):
    assert rig.ask("POST", path, flag(), **GOOD)[0] == status


def test_a_body_of_no_stated_length_is_refused(rig: Rig):
    wire = http.client.HTTPConnection("127.0.0.1", rig.server.port, timeout=10)
    with closing(wire):
        headers = {key.replace("_", "-"): value for key, value in GOOD.items()}
        wire.request("POST", FLAG, iter([flag()]), headers, encode_chunked=True)
        assert wire.getresponse().status == 411


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9465", "127.0.0.1.evil.example", ""]
)
def test_a_page_elsewhere_whose_name_leads_here_is_not_let_in(rig: Rig, host: str):
    status, said, _ = rig.ask("GET", "/api/station", Host=host)
    assert (status, "expected a request to localhost" in json.loads(said)["error"]) == (421, True)


def test_a_body_that_does_not_come_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("listener.review.routes.BODY_SECONDS", 0.2)
    head = f"POST {FLAG} HTTP/1.1\r\nHost: localhost:1\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    assert send(rig, head.encode()).startswith(b"HTTP/1.1 408 ")


def test_a_request_that_does_not_come_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(review_server, "REQUEST_SECONDS", 0.2)
    with review_rig(tmp_path) as rig:
        assert send(rig, b"GET / HTTP/1.1\r\nX: ") == b""


def test_a_head_that_is_too_large_is_refused(rig: Rig):
    answer = send(rig, b"GET / HTTP/1.1\r\nX: " + b"x" * 2 * review_server.HEAD_BYTES)
    assert answer.startswith(b"HTTP/1.1 400 ")


def send(rig: Rig, request: bytes) -> bytes:
    """What the server answers to these bytes until it closes."""
    with socket.create_connection(("127.0.0.1", rig.server.port), timeout=10) as wire:
        wire.sendall(request)
        return b"".join(iter(lambda: wire.recv(65_536), b""))


def test_too_many_requests_a_second_are_refused():
    """At 0.0 s as many as may, one more, and at 1.0 s again."""
    times = iter([0.0] * (REQUESTS_PER_SECOND + 1) + [1.0])
    guard = Guard(taken, ReviewSettings(), None, monotonic=lambda: next(times))
    statuses = [asyncio.run(status_of(guard)) for _ in range(REQUESTS_PER_SECOND + 2)]
    assert statuses == [204] * REQUESTS_PER_SECOND + [429, 204]


async def taken(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def status_of(guard: Guard) -> int:
    """What the guard answers to a GET."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}
    await guard(scope, receive, send)
    return int(sent[0]["status"])


def test_connections_that_say_nothing_do_not_keep_others_out_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(review_server, "REQUEST_SECONDS", 0.5)
    with review_rig(tmp_path) as rig:
        address = ("127.0.0.1", rig.server.port)
        silent = [
            socket.create_connection(address, 10) for _ in range(review_server.MAX_CONNECTIONS)
        ]
        wait_until(lambda: rig.ask("GET", "/icon.svg")[0] == 200, 10, "room again")
        for wire in silent:
            wire.close()


def test_where_others_can_reach_it_listening_takes_the_token_too(tmp_path: Path):
    with review_rig(tmp_path, host="0.0.0.0") as rig:
        for path in ("/api/station", "/api/live", f"/api/clips/{CLIP}/audio", "/api/queue"):
            status, _, headers = rig.ask("GET", path)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert rig.ask("GET", "/")[0] == 200  # the page itself, which asks for it
        assert rig.ask("GET", f"/api/clips/{CLIP}/audio", None, **GOOD)[0] == 200
        assert rig.ask("GET", "/api/station", None, Host="farm.example", **GOOD)[0] == 200


def test_without_a_token_in_the_config_nothing_can_be_changed(tmp_path: Path):
    with review_rig(tmp_path, token=None) as rig:
        assert rig.read("station")["commands"] is False
        before = rig.state()
        status, said, _ = rig.ask("POST", FLAG, flag(), **GOOD)
        assert (status, "control.http_token_file" in json.loads(said)["error"]) == (403, True)
        assert rig.state() == before


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "farm.example"])
def test_an_address_that_others_reach_needs_a_token_in_the_config(host: str):
    document = {
        "bundle": "b",
        "sources": [{"name": "a", "kind": "stdin"}],
        "review": {"enabled": True, "host": host},
    }
    with pytest.raises(ConfigError, match=r"review.host: expected control.http_token_file"):
        parse_config(document, "x")
    control = {"http_token_file": "token"}
    assert not parse_config(document | {"control": control}, "x").review.is_local


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_a_loopback_address_needs_none(host: str):
    document = {
        "bundle": "b",
        "sources": [{"name": "a", "kind": "stdin"}],
        "review": {"enabled": True, "host": host},
    }
    assert parse_config(document, "x").review.is_local
