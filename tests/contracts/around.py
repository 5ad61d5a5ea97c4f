"""What stands around a station: a broker, a subscriber, a web server, and the station's own process."""

from __future__ import annotations

import getpass
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.contracts.dump import Dump

_ANSWERS = "earshot/test/answer/me"


@dataclass(frozen=True, slots=True)
class Message:
    """What a subscriber got."""

    topic: str
    retained: bool
    qos: int
    payload: str

    @property
    def value(self) -> Any:
        """Its JSON, or its text."""
        try:
            return json.loads(self.payload)
        except ValueError:
            return self.payload


class Subscriber:
    """Takes every message of a broker, and gives commands to the station `test`."""

    def __init__(self, port: int) -> None:
        self.messages: list[Message] = []
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._take
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe("#", options=SubscribeOptions(qos=2, retainAsPublished=True))
        if not self._subscribed.wait(10):
            raise TimeoutError("expected a subscription")

    def _take(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        retained, payload = bool(message.retain), bytes(message.payload).decode("utf-8", "replace")
        self.messages.append(Message(message.topic, retained, message.qos, payload))

    def of(self, topic: str) -> list[Message]:
        """The messages of a topic."""
        return [message for message in list(self.messages) if message.topic == topic]

    def publish(
        self, topic: str, payload: str | bytes, *, answer: str | None = None, retain: bool = False
    ) -> None:
        """Send a message; `answer` is MQTT 5's response topic."""
        properties = Properties(PacketTypes.PUBLISH)
        if answer is not None:
            properties.ResponseTopic = answer
            properties.CorrelationData = b"1"
        self._client.publish(
            topic, payload, qos=1, retain=retain, properties=properties
        ).wait_for_publish(10)

    def ask(self, name: str, payload: str, *, retain: bool = False) -> Any:
        """The answer to a command."""
        before = len(self.of(_ANSWERS))
        self.publish(f"earshot/test/command/{name}", payload, answer=_ANSWERS, retain=retain)
        wait_until(lambda: len(self.of(_ANSWERS)) > before, f"an answer to {name} {payload}")
        return self.of(_ANSWERS)[-1].value

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 40.0) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected within {seconds} s: {what}")
        time.sleep(0.02)


def free_port() -> int:
    """A TCP port that nothing uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """A real broker; its port."""
    program = shutil.which("mosquitto", path="/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin")
    if program is None:
        raise RuntimeError("mosquitto is not installed")
    port, config = free_port(), folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
        f"user {getpass.getuser()}\n"  # as root it would become another user
    )
    with (
        (folder / "mosquitto.log").open("w") as log,
        subprocess.Popen([program, "-c", config], stderr=log) as broker,
    ):
        try:
            wait_until(lambda: _listens(port), "mosquitto listens")
            yield port
        finally:
            broker.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def web_server() -> Iterator[tuple[int, list[tuple[dict[str, str], Any]]]]:
    """A server that takes every POST; its port, and the headers and JSON that came."""
    taken: list[tuple[dict[str, str], Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(
                ({key.lower(): value for key, value in self.headers.items()}, json.loads(body))
            )
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, taken
        server.shutdown()


class Station:
    """`listener run` in the work folder, with the config that lies there."""

    def __init__(self, dump: Dump, folder: Path) -> None:
        self._log = folder / "stderr"
        with (folder / "stdout").open("wb") as out, self._log.open("wb") as err:
            command = [sys.executable, "-m", "listener", "run"]
            self._process = subprocess.Popen(
                command, cwd=folder, stdout=out, stderr=err, env=dump.environment
            )

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself, which is a failure here."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the station ended: {self._log.read_text()}")
        return False

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)

    def kill(self) -> None:
        """For the end of a part that failed."""
        self._process.kill()
        self._process.wait()


@contextmanager
def running(dump: Dump, folder: Path) -> Iterator[Station]:
    """A station that does not outlive the part."""
    with ExitStack() as stack:
        station = Station(dump, folder)
        stack.callback(station.kill)
        yield station


def http(
    port: int, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}{path}", body, named), timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except HTTPError as error:
        return error.code, dict(error.headers), error.read()
