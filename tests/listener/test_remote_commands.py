"""Commands to a running station over a real broker and real HTTP; bad ones change nothing."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.control.dispatcher import COMMANDS_PER_SECOND
from listener.detection.bundle import Bundle
from tests.bundles import LOW_TONE_HZ
from tests.rigs.commander import ask, command, post, publish
from tests.rigs.mosquitto import Message, Mosquitto, free_port, subscribe, wait_until
from tests.rigs.station import StationProcess, metric, running_station

RATE = 16_000
TOKEN = "a-token-of-the-tests"
JSON = {"Content_Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
ULID = "01JD9Z6T3W8Q5V1N2M4K7B0C9E"
ROOT = "earshot/test"


@dataclass(frozen=True, slots=True)
class Running:
    """A station that plays a beep in a loop and accepts commands over MQTT and HTTP."""

    broker: Mosquitto
    http_port: int
    process: StationProcess
    state_file: Path
    clips: Path

    def metric(self, name: str) -> float:
        return metric(self.http_port, name) or 0.0

    def count(self, name: str, result: str) -> float:
        return self.metric(f'listener_commands_total{{command="{name}",result="{result}"}}')


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory, tones_bundle: Bundle) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("station")
    t = np.arange(round(2.5 * RATE)) / RATE
    sound = np.concatenate([0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * t), np.zeros(RATE)])
    soundfile.write(folder / "hall.wav", sound, RATE, subtype="PCM_16")
    (folder / "token").write_text(TOKEN + "\n")
    with Mosquitto(folder) as broker:
        config: dict[str, Any] = {
            "station": "test",
            "bundle": tones_bundle.path,
            "sources": [
                {"name": "hall", "kind": "file", "path": folder / "hall.wav", "at_end": "restart"}
            ],
            "mqtt": {"port": broker.port, "level_interval_seconds": 0.0},
            "http": {"port": free_port()},
            "clips": {"enabled": True, "directory": folder / "clips", "ambient_per_hour": 0.0},
            "control": {"mqtt": True, "http_token_file": folder / "token"},
        }
        with (
            subscribe(broker.port, f"{ROOT}/hall/event") as messages,
            running_station(folder, config) as process,
        ):
            messages.wait_for_topic(f"{ROOT}/hall/event", 2, 30)
            yield Running(
                broker, config["http"]["port"], process, folder / "state.json", folder / "clips"
            )


def clip_of(station: Running) -> str:
    """The id of a stored clip."""
    wait_until(lambda: any(station.clips.rglob("*.json")), 20, "a clip")
    return min(path.stem for path in station.clips.rglob("*.json"))


def sidecar(station: Running, clip: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(station.clips.rglob(f"{clip}.json")).read_text())
    return found


def low_tone(**expected: str) -> Callable[[Message], bool]:
    """Matches an event of the beep with these values."""

    def matches(message: Message) -> bool:
        if message.topic != f"{ROOT}/hall/event":
            return False
        event = json.loads(message.payload)
        return all(event[key] == value for key, value in (expected | {"label": "low_tone"}).items())

    return matches


def test_a_mute_ends_the_event_and_an_unmute_allows_the_next_one(station: Running):
    level = f"{ROOT}/hall/level"
    with subscribe(station.broker.port, f"{ROOT}/hall/event", "-t", level) as messages:
        messages.wait_for(low_tone(phase="start"), seconds=20)
        assert ask(station.broker.port, "mute", command(label="low_tone", seconds=600))["ok"]
        messages.wait_for(low_tone(phase="end", reason="muted"), seconds=20)
        begun = len(messages.wait_for(low_tone(phase="start")))
        levels = len(messages.wait_for_topic(level))
        messages.wait_for_topic(level, levels + 8)  # one whole loop of the file
        assert len(messages.wait_for(low_tone(phase="start"))) == begun
        assert json.loads(station.state_file.read_text())["mutes"][0]["label"] == "low_tone"
        assert ask(station.broker.port, "unmute", command()) == {"ok": True, "ended": 1}
        messages.wait_for(low_tone(phase="start"), begun + 1, 20)


def test_a_mute_expires(station: Running):
    with subscribe(station.broker.port, f"{ROOT}/hall/event") as messages:
        assert ask(station.broker.port, "mute", command(source="hall", seconds=1.0))["ok"]
        messages.wait_for(lambda m: json.loads(m.payload)["phase"] == "start", seconds=20)


def test_thresholds_are_answered_stored_and_reset(station: Running):
    strict = ask(station.broker.port, "threshold", command(source="hall", label="noise", on=0.9))
    assert strict == {"ok": True, "thresholds": {"hall": {"on": 0.9, "off": 0.3}}}
    low = ask(station.broker.port, "threshold", command(label="noise", on=0.2))
    assert low["thresholds"] == {
        "hall": {"on": 0.9, "off": 0.2}
    }  # its own outranks the one for all
    kept = json.loads(station.state_file.read_text())["thresholds"]
    assert {(rule["source"], rule["on"]) for rule in kept} == {("hall", 0.9), (None, 0.2)}
    for source in ({"source": "hall"}, {}):
        back = ask(station.broker.port, "threshold", command(label="noise", **source))
    assert back["thresholds"] == {"hall": {"on": 0.5, "off": 0.3}}


def test_a_verdict_reaches_the_clip_with_author_and_time(station: Running):
    clip = clip_of(station)
    flag = command(clip=clip, verdict="labels", labels=[{"label": "high_tone"}], who="Ada")
    assert ask(station.broker.port, "flag", flag) == {"ok": True, "clip": clip}
    right = as_bytes(command(clip=clip, verdict="right"))
    status, answer = post(station.http_port, "flag", right, **JSON)
    assert (status, answer["ok"]) == (200, True)
    found = sidecar(station, clip)
    first, second = found["verdicts"]
    assert (first["value"], first["who"], first["labels"][0]["label"]) == (
        "labels",
        "Ada",
        "high_tone",
    )
    assert first["labels"][0]["offset"] == found["seconds"]
    assert first["at"] == pytest.approx(datetime.fromisoformat(flag["at"]).timestamp())
    assert (second["value"], second["who"]) == ("right", "http")


def test_a_snapshot_becomes_a_clip(station: Running):
    answer = ask(station.broker.port, "snapshot", command(source="hall", seconds=2.0))
    wait_until(lambda: any(station.clips.rglob(f"{answer['clip']}.json")), 20, "the clip")
    found = sidecar(station, answer["clip"])
    assert (found["reason"], found["seconds"]) == ("missed", pytest.approx(2.0, abs=0.5))


def test_without_a_response_topic_the_answer_goes_to_the_result_topic(station: Running):
    with subscribe(station.broker.port, f"{ROOT}/command/+/result") as messages:
        publish(station.broker.port, f"{ROOT}/command/reload", json.dumps(command()).encode())
        answer = json.loads(messages.wait_for_topic(f"{ROOT}/command/reload/result")[0].payload)
    assert answer == {"ok": True, "bundle": "tones@1", "changed": False}


def at(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


BAD_COMMANDS: dict[str, tuple[str, Callable[[], Any], str]] = {
    "no JSON": ("mute", lambda: "mute!", "Invalid JSON"),
    "bad UTF-8": ("mute", lambda: b"\xff\xfe\x00", "Invalid JSON"),
    "bad UTF-8 inside": ("flag", lambda: b'{"id": "\xff"}', "Invalid JSON"),
    "a list": ("mute", list, "Input should be an object"),
    "nothing": ("reload", lambda: b"", "Invalid JSON"),
    "deep": ("reload", lambda: b"[" * 5000, "recursion limit"),
    "unknown command": ("explode", command, "expected flag, mute"),
    "path as command": ("..", command, "expected flag, mute"),
    "no id": ("reload", lambda: {"at": at()}, "id: expected one"),
    "no time": ("reload", lambda: {"id": "x"}, "at: expected one"),
    "no zone": ("reload", lambda: {"id": "x", "at": "2026-11-21T03:00:00"}, "timezone"),
    "stale": ("reload", lambda: command(at=at(seconds=61)), "expected within 60 s"),
    "from the future": ("reload", lambda: command(at=at(seconds=-120)), "expected within 60 s"),
    "path as id": ("reload", lambda: command(id="../../x"), "should match pattern"),
    "path as clip": ("flag", lambda: command(clip="../../../etc/passwd", verdict="right"), "pattern"),
    "unknown clip": ("flag", lambda: command(clip=ULID, verdict="right"), "stored clip"),
    "unknown verdict": ("flag", lambda: command(clip=ULID, verdict="perhaps"), "'right', 'wrong'"),
    "path as label": (
        "flag",
        lambda: command(clip=ULID, verdict="labels", labels=[{"label": "../x"}]),
        "pattern",
    ),
    "newline in a name": ("flag", lambda: command(clip=ULID, verdict="right", who="a\nb"), "pattern"),
    "path as source": ("snapshot", lambda: command(source="../hall", seconds=2), "pattern"),
    "unknown source": ("snapshot", lambda: command(source="yard", seconds=2), "expected hall"),
    "unknown label": ("mute", lambda: command(label="dog", seconds=9), "has no label 'dog'"),
    "mute for ever": ("mute", lambda: command(seconds=1e9), "less than or equal to"),
    "mute of the past": ("mute", lambda: command(seconds=-1), "greater than or equal to 0"),
    "NaN": ("mute", lambda: command(seconds=float("nan")), "finite"),
    "threshold over 1": ("threshold", lambda: command(label="noise", on=1.5), "less than or equal"),
    "off over on": ("threshold", lambda: command(label="noise", on=0.2, off=0.4), "off <= on"),
    "unknown key": ("reload", lambda: command(path="/etc"), "'path': unknown key"),
    "9 KB": ("reload", lambda: command(x="y" * 9000), "expected at most 8192 bytes"),
}  # fmt: skip


@pytest.fixture
def unchanged(station: Running) -> Iterator[Running]:
    """Afterwards overrides, bundle and verdicts are the same, and no audio was lost."""
    ask(station.broker.port, "unmute", command())
    clip = clip_of(station)
    before = station.state_file.read_bytes(), sidecar(station, clip), switches(station)
    level = f"{ROOT}/hall/level"
    with subscribe(station.broker.port, level, "-t", f"{ROOT}/bundle") as messages:
        messages.wait_for_topic(f"{ROOT}/bundle")  # the retained one
        yield station
        messages.wait_for_topic(level, len(messages.wait_for_topic(level)) + 2)
        assert len(messages.wait_for_topic(f"{ROOT}/bundle")) == 1
    assert (station.state_file.read_bytes(), sidecar(station, clip), switches(station)) == before
    assert station.metric('listener_patches_dropped_total{source="hall"}') == 0
    assert station.metric('listener_source_overflows_total{source="hall"}') == 0
    assert "Traceback" not in station.process.log


def switches(station: Running) -> float:
    return station.metric('listener_bundle_switches_total{result="taken"}')


def as_bytes(payload: Any) -> bytes:
    if isinstance(payload, bytes):
        return payload
    return (payload if isinstance(payload, str) else json.dumps(payload)).encode()


def test_bad_commands_are_refused_with_a_reason_and_change_nothing(unchanged: Running):
    assert len(BAD_COMMANDS) >= 20
    port = unchanged.broker.port
    answered_at = deque(
        [time.monotonic()], COMMANDS_PER_SECOND - 1
    )  # earlier tests sent commands, too
    with subscribe(port, f"{ROOT}/command/+/result") as messages:
        for number, (name, make, _) in enumerate(BAD_COMMANDS.values(), 1):
            wait_until(lambda: time.monotonic() > answered_at[0] + 1.0, 5, "the rate limit")
            publish(port, f"{ROOT}/command/{name}", as_bytes(make()))
            messages.wait_for(lambda _: True, number)
            answered_at.append(time.monotonic())
        answers = messages.wait_for(lambda _: True, len(BAD_COMMANDS))
    for answer, (_, _, reason) in zip(answers, BAD_COMMANDS.values(), strict=True):
        said = json.loads(answer.payload)
        assert (said["ok"], reason in said["error"]) == (False, True), said
    assert unchanged.count("unknown", "refused") == 2


def test_a_command_is_carried_out_once(unchanged: Running):
    once = command()
    assert ask(unchanged.broker.port, "reload", once)["ok"]
    again = ask(unchanged.broker.port, "reload", once)
    other = ask(unchanged.broker.port, "unmute", once)
    for answer in (again, other):
        assert (answer["ok"], "was not used before" in answer["error"]) == (False, True)


def test_a_retained_command_is_refused(unchanged: Running):
    port = unchanged.broker.port
    with subscribe(port, f"{ROOT}/command/+/result") as messages:
        publish(port, f"{ROOT}/command/reload", json.dumps(command()).encode(), "-r")
        answer = json.loads(messages.wait_for_topic(f"{ROOT}/command/reload/result")[0].payload)
    assert (answer["ok"], "not retained" in answer["error"]) == (False, True)
    publish(port, f"{ROOT}/command/reload", b"", "-r")


@pytest.mark.parametrize(
    "topic", ["earshot/test/hall/event", "elsewhere/answer", "earshot/test/command/reload"]
)
def test_an_answer_is_never_published_where_it_is_not_allowed(topic: str, unchanged: Running):
    port = unchanged.broker.port
    options = ("-D", "publish", "response-topic", topic)
    with subscribe(port, f"{ROOT}/command/+/result") as messages, subscribe(port, topic) as there:
        publish(port, f"{ROOT}/command/reload", json.dumps(command()).encode(), *options)
        answer = json.loads(messages.wait_for_topic(f"{ROOT}/command/reload/result")[0].payload)
        assert '"ok"' not in "".join(message.payload for message in there.all)
    assert (answer["ok"], "response topic" in answer["error"]) == (False, True)


def test_fifty_megabytes_never_reach_the_station(unchanged: Running):
    """The station tells the broker its maximum packet size."""
    port = unchanged.broker.port
    with subscribe(port, f"{ROOT}/command/reload", "-F", "message %r %q %t %l") as messages:
        publish(port, f"{ROOT}/command/reload", b"x" * 50_000_000)
        messages.wait_for_topic(f"{ROOT}/command/reload", seconds=30)
    assert ask(port, "unmute", command())["ok"]
    assert "connection lost" not in unchanged.process.log


def test_a_flood_is_bounded_counted_and_logged_rarely(unchanged: Running):
    port = unchanged.broker.port
    flood = b"\n".join([b"{}"] * 3000) + b"\n"
    topic = f"{ROOT}/command/reload"
    subprocess.run(
        ["mosquitto_pub", "-p", str(port), "-q", "0", "-t", topic, "-l"], input=flood, check=True
    )
    wait_until(
        lambda: unchanged.count("reload", "refused") + unchanged.count("reload", "dropped") >= 3000,
        20,
        "all counted",
    )
    log = unchanged.process.log
    assert log.count("more than 64 wait") + log.count("at most 10 commands a second") < 100
    wait_until(lambda: ask(port, "unmute", command())["ok"], 10, "commands are accepted again")


def raw(head: str, body: bytes = b"") -> Callable[[int], bytes]:
    def send(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=15) as wire:
            wire.sendall(head.replace("\n", "\r\n").encode("latin-1") + body)
            answer = b""
            while received := wire.recv(65_536):
                answer += received
            return answer

    return send


def request(
    path: str = "/command/reload", length: int | str = 2, token: str = TOKEN, more: str = ""
) -> str:
    return (
        f"POST {path} HTTP/1.1\nHost: x\nAuthorization: Bearer {token}\n"
        f"Content-Type: application/json\nContent-Length: {length}\n{more}\n"
    )


NO_TOKEN = "POST /command/reload HTTP/1.1\nContent-Type: application/json\nContent-Length: 2\n\n"
CHUNKED = (
    f"POST /command/reload HTTP/1.1\nAuthorization: Bearer {TOKEN}\nContent-Type: application/json\n"
    "Transfer-Encoding: chunked\n\n"
)
BAD_REQUESTS: dict[str, tuple[Callable[[int], bytes], int]] = {
    "no token": (raw(NO_TOKEN, b"{}"), 401),
    "another token": (raw(request(token="a-token-of-the-tesst"), b"{}"), 401),
    "the token's beginning": (raw(request(token=TOKEN[:-1]), b"{}"), 401),
    "the token and more": (raw(request(token=TOKEN + "x"), b"{}"), 401),
    "an empty token": (raw(request(token=""), b"{}"), 401),
    "a token that is not ASCII": (raw(request(token="\xe9\xff"), b"{}"), 401),
    "Basic": (raw(request().replace("Bearer", "Basic"), b"{}"), 401),
    "path up": (raw(request("/command/../metrics"), b"{}"), 404),
    "path up, encoded": (raw(request("/command/%2e%2e%2fmetrics"), b"{}"), 404),
    "path further": (raw(request("/command/reload/x"), b"{}"), 404),
    "a query": (raw(request("/command/reload?x=1"), b"{}"), 404),
    "unknown command": (raw(request("/command/explode"), b"{}"), 404),
    "no command": (raw(request("/command/"), b"{}"), 404),
    "POST elsewhere": (raw(request("/metrics"), b"{}"), 405),
    "50 MB": (raw(request(length=50_000_000), b"x" * 1_000_000), 413),
    "9 KB": (raw(request(length=9000), b"x" * 9000), 413),
    "a length of many digits": (raw(request(length="9" * 5000), b"{}"), 413),
    "a negative length": (raw(request(length="-1"), b"{}"), 411),
    "a length that is no number": (raw(request(length="two"), b"{}"), 411),
    "chunks": (raw(CHUNKED, b"2\r\n{}\r\n0\r\n\r\n"), 411),
    "chunked garbage": (raw(CHUNKED, b"\xff\xfezzz\r\n\r\n" * 20), 411),
    "a form": (raw(request().replace("json", "x-www-form-urlencoded"), b"{}"), 415),
    "bad UTF-8": (raw(request(length=4), b"\xff\xfe\x00\x01"), 400),
    "no JSON": (raw(request(length=4), b"{{{{"), 400),
    "no id": (raw(request(), b"{}"), 400),
    "headers without end": (raw(request(more="X: " + "x" * 9000)), 431),
    "no request": (raw("\x00\x01\x02\n\n"), 400),
    "PUT": (raw(request().replace("POST", "PUT"), b"{}"), 405),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_a_bad_request_has_its_status(case: str, station: Running):
    send, status = BAD_REQUESTS[case]
    answer = send(station.http_port)
    assert answer.startswith(b"HTTP/1.0 %d " % status) or (
        case == "no request" and b"400" in answer
    )
    assert TOKEN.encode() not in answer


def test_bad_requests_change_nothing(unchanged: Running):
    assert len(BAD_REQUESTS) >= 20
    for send, _ in BAD_REQUESTS.values():
        send(unchanged.http_port)
    clip = clip_of(unchanged)
    stale = command(clip=clip, verdict="wrong", at=at(seconds=90))
    other = command(clip=ULID, verdict="wrong")
    for document in (stale, other):
        status, answer = post(unchanged.http_port, "flag", as_bytes(document), **JSON)
        assert (status, answer["ok"]) == (400, False)


def test_a_replayed_request_is_refused(unchanged: Running):
    body = as_bytes(command())
    assert post(unchanged.http_port, "reload", body, **JSON)[0] == 200
    assert post(unchanged.http_port, "reload", body, **JSON)[0] == 400


def test_a_missing_body_is_refused(unchanged: Running):
    with socket.create_connection(("127.0.0.1", unchanged.http_port), timeout=15) as wire:
        wire.sendall(request(length=10).replace("\n", "\r\n").encode())
        wire.shutdown(socket.SHUT_WR)
        assert wire.recv(100).startswith(b"HTTP/1.0 400 ")
