"""A real Mosquitto on a free port, and the real mosquitto_sub to look at what it gives."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pytest

_MARK = "message "  # what our lines of mosquitto_sub's output begin with
_PORT_WAIT_SECONDS = 10.0


def need_mosquitto() -> None:
    """Skip the test where Mosquitto or its clients are not installed."""
    for program in ("mosquitto", "mosquitto_sub"):
        if _find(program) is None:
            pytest.skip(f"{program} is not installed (Debian: mosquitto, mosquitto-clients)")


def free_port() -> int:
    """A TCP port of the loopback interface that nothing uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A broker in `directory`, run on entering; `lines` are added to its config.

    It can be stopped and started again on the same port. It keeps nothing on disk, so what was retained
    is gone after a restart.
    """

    def __init__(
        self,
        directory: Path,
        *lines: str,
        anonymous: bool = True,
        listener: tuple[str, ...] = (),
        verbose: bool = True,
    ) -> None:
        need_mosquitto()
        self._options = ["-v"] if verbose else []  # a line a packet, which costs it time
        self.port = free_port()
        self._config = directory / f"mosquitto-{self.port}.conf"
        self._config.write_text(
            "\n".join(
                [
                    f"listener {self.port} 127.0.0.1",
                    *listener,
                    f"allow_anonymous {str(anonymous).lower()}",
                    f"user {getpass.getuser()}",  # as root it would become another user
                    "persistence false",
                    *lines,
                    "",
                ]
            )
        )
        self._log = directory / f"mosquitto-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What the broker has written so far."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """Of its process.

        Raises:
            RuntimeError: it does not run.
        """
        if self._process is None:
            raise RuntimeError("expected a broker that runs")
        return self._process.pid

    def start(self) -> None:
        """Run the broker and wait until it takes connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(_find("mosquitto")), *self._options, "-c", str(self._config)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._listens, _PORT_WAIT_SECONDS, f"mosquitto listens: {self._log}")

    def _listens(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"mosquitto ended: {self.log}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End the broker; connections are cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


@dataclass(frozen=True, slots=True)
class Message:
    """What mosquitto_sub printed of one message."""

    topic: str
    retained: bool
    qos: int
    payload: str


class Messages:
    """Messages as they arrive, filled by a thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._messages: list[Message] = []
        self._subscribed = False

    def add_line(self, line: str) -> None:
        """Take a line of mosquitto_sub's output."""
        with self._changed:
            if line.startswith(_MARK):
                retained, qos, topic, payload = line.removeprefix(_MARK).split(" ", 3)
                self._messages.append(Message(topic, retained == "1", int(qos), payload))
            elif line.startswith("Subscribed"):
                self._subscribed = True
            self._changed.notify_all()

    def wait_for_subscription(self, seconds: float = 10.0) -> None:
        """Wait until the broker has taken the subscription."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._subscribed, seconds):
                raise TimeoutError(f"expected a subscription within {seconds} s")

    def wait_for(
        self, wanted: Callable[[Message], bool], count: int = 1, seconds: float = 10.0
    ) -> list[Message]:
        """The messages that are `wanted`, as soon as there are `count` of them."""

        def found() -> list[Message]:
            return [message for message in self._messages if wanted(message)]

        with self._changed:
            if not self._changed.wait_for(lambda: len(found()) >= count, seconds):
                raise TimeoutError(f"expected {count} within {seconds} s, got {self._messages}")
            return found()

    def wait_for_topic(self, topic: str, count: int = 1, seconds: float = 10.0) -> list[Message]:
        """The messages of a topic, as soon as there are `count` of them."""
        return self.wait_for(lambda message: message.topic == topic, count, seconds)

    def wait_for_payload(self, topic: str, payload: str, seconds: float = 10.0) -> Message:
        """The last message of that topic and payload, as soon as there is one."""
        return self.wait_for(
            lambda message: (message.topic, message.payload) == (topic, payload), 1, seconds
        )[-1]

    @property
    def all(self) -> list[Message]:
        """What has come so far."""
        with self._changed:
            return list(self._messages)


@contextmanager
def subscribe(port: int, topic: str, *options: str) -> Iterator[Messages]:
    """The real mosquitto_sub, subscribed with QoS 1; `retained` says whether the broker kept it."""
    # line by line into the pipe, for mosquitto_sub itself only flushes after messages
    command = [
        "stdbuf",
        "-oL",
        str(_find("mosquitto_sub")),
        "-V",
        "mqttv5",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    command += ["-q", "1", "-d", "--retain-as-published", "-t", topic]
    command += ["-F", f"{_MARK}%r %q %t %p", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1)
    messages = Messages()
    reader = threading.Thread(target=_read, args=(process, messages), daemon=True)
    reader.start()
    try:
        messages.wait_for_subscription()
        yield messages
    finally:
        process.kill()
        process.wait()
        reader.join()
        if process.stdout is not None:
            process.stdout.close()


def _read(process: subprocess.Popen[str], messages: Messages) -> None:
    for line in process.stdout or ():
        messages.add_line(line.rstrip("\n"))


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition that nothing can signal, with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected within {seconds} s: {what}")
        time.sleep(0.01)


def _find(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
