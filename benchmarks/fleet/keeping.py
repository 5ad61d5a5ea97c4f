"""What a Mosquitto pays for what it keeps: retained messages and connections."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.fleet.broker import rss_bytes, shipped_broker
from benchmarks.process_clock import process_cpu_seconds
from tests.rigs.mosquitto import Mosquitto, wait_until

_DEADLINE_SECONDS = 60.0
_PROBES = 100


@dataclass(frozen=True, slots=True)
class Keeping:
    """Of one retained state: bytes of memory and, saved, of disk; of one connection: bytes of memory.

    `saving` is the processor time, milliseconds, that the broker spends on a message that comes alone
    when it writes all that it keeps after each, as mosquitto/earshot.conf says: by the number of states
    that it keeps.
    """

    retained_bytes: float
    disk_bytes: float
    connection_bytes: float
    saving: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many states and connections are kept, and how many states while each message is written."""

    retained: int
    connections: int
    saved: tuple[int, ...]


def measure_keeping(directory: Path, amounts: Amounts) -> Keeping:
    """A broker that writes nothing, and others that write after every change."""
    retained = amounts.retained
    with _fresh_broker(directory, "none", keeps=False, retained=retained) as (broker, bytes_taken):
        connection_bytes = _connection_bytes(broker, amounts.connections)
    saving, disk_bytes = {}, 0.0
    for saved in amounts.saved:
        place = f"always{saved}"
        with _fresh_broker(directory, place, keeps=True, retained=saved) as (saver, _):
            saving[saved] = _message_ms(saver)
            disk_bytes = _saved_bytes(saver, directory / place) / saved
    return Keeping(bytes_taken / retained, disk_bytes, connection_bytes, saving)


@contextmanager
def _fresh_broker(
    directory: Path, name: str, *, keeps: bool, retained: int
) -> Iterator[tuple[Mosquitto, int]]:
    """With so many retained states; and the bytes by which its memory grew for them."""
    place = directory / name
    place.mkdir()
    with shipped_broker(place, keeps=keeps) as broker:
        empty = rss_bytes(broker)
        with _publisher(broker, "filler") as client:
            for number in range(retained):
                client.publish(_state_topic(number), b"OFF", 0, retain=True)
            _wait_for_answer(client)
        yield broker, rss_bytes(broker) - empty


def _state_topic(number: int) -> str:
    return f"earshot/s{number // 5:05d}/hall/state/label_{number % 5}"


@contextmanager
def _publisher(broker: Mosquitto, name: str) -> Iterator[Client]:
    client = Client(
        CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
    )
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def _wait_for_answer(client: Client) -> None:
    """Wait until the broker has dealt with all that was published before."""
    client.publish("earshot/mark", b"", 1).wait_for_publish(_DEADLINE_SECONDS)


def _connection_bytes(broker: Mosquitto, count: int) -> float:
    empty = rss_bytes(broker)
    with ExitStack() as stack:
        for number in range(count):
            stack.enter_context(_idle_client(broker, f"idle{number}"))
        wait_until(
            lambda: f"as idle{count - 1} " in broker.log, _DEADLINE_SECONDS, "all are connected"
        )
        return (rss_bytes(broker) - empty) / count


@contextmanager
def _idle_client(broker: Mosquitto, name: str) -> Iterator[None]:
    """Connected as a station is, with its will; nobody reads what comes."""
    client = Client(
        CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
    )
    client.will_set(f"earshot/{name}/status", b"offline", 1, retain=True)
    client.connect("127.0.0.1", broker.port)
    try:
        yield
    finally:
        client.disconnect()


def _message_ms(broker: Mosquitto) -> float:
    """Processor time of a retained change that comes alone, milliseconds."""
    with _publisher(broker, "changer") as client:
        before = process_cpu_seconds(broker.pid)
        for number in range(_PROBES):
            state = b"ON" if number % 2 else b"OFF"
            message = client.publish(_state_topic(0), state, 1, retain=True)
            message.wait_for_publish(_DEADLINE_SECONDS)
        return (process_cpu_seconds(broker.pid) - before) * 1000 / _PROBES


def _saved_bytes(broker: Mosquitto, directory: Path) -> int:
    """Size of its database, written now."""
    file = directory / "mosquitto.db"
    asked_at = time.time_ns()
    os.kill(broker.pid, signal.SIGUSR1)
    wait_until(
        lambda: file.exists() and file.stat().st_mtime_ns >= asked_at, _DEADLINE_SECONDS, f"{file}"
    )
    return file.stat().st_size
