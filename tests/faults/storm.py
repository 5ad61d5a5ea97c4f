"""Random broker kills, cuts, swallowed acknowledgements and black holes while events go out."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.rigs.mosquitto import Mosquitto, wait_until
from tests.rigs.outbox_station import EVENT_TOPIC, OutboxStation, event, outbox_station
from tests.rigs.slow_subscriber import BarePaho, SlowSubscriber, make_client
from tests.rigs.tcp_proxy import Mode, TcpProxy

EVENTS_PER_SECOND = 100
# With these Mosquitto writes what it has acknowledged, though some milliseconds after it has done so
DURABLE = ("persistence true", "autosave_interval 1", "autosave_on_changes true")
BARE_TOPIC = "earshot/bare/hall/event"
PHASES = ("start", "end")
BLACK_HOLE_SECONDS = 2.5  # longer than paho rests, so that it is in it
_MODES: tuple[Mode, ...] = ("black_hole", "drop_answers", "refuse")
_FAULT_SECONDS, _CALM_SECONDS = (0.3, 2.0), (0.1, 0.8)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What reached the subscriber of the events that were made."""

    made: int
    received: tuple[int, ...]  # by number, in order, with what came twice

    @property
    def first(self) -> list[int]:
        """Without what came again."""
        return list(dict.fromkeys(self.received))

    @property
    def lost(self) -> int:
        """Events that never came."""
        return self.made - len(set(self.received))

    @property
    def out_of_order(self) -> int:
        """Events that came after a later one, though not again."""
        first = self.first
        return sum(later < earlier for earlier, later in itertools.pairwise(first))


@dataclass(frozen=True, slots=True)
class Storm:
    """A station with an outbox and paho alone, on the same way to the same broker."""

    mosquitto: Mosquitto
    proxy: TcpProxy
    subscriber: SlowSubscriber
    station: OutboxStation
    paho: BarePaho

    def blow(self, seed: int, seconds: float) -> int:
        """Both publish at EVENTS_PER_SECOND while faults come and go; how many each of them did.

        The last fault is a black hole: only who misses an answer notices.
        """
        faults = Faults(random.Random(seed), self.mosquitto, self.proxy)
        began, made = time.monotonic(), 0
        while (now := time.monotonic()) < began + seconds:
            due = round((now - began) * EVENTS_PER_SECOND)
            self._publish(range(made, due))
            made = due
            if now > began + seconds - BLACK_HOLE_SECONDS:
                self.proxy.mode = "black_hole"
            else:
                faults.look(now)
            time.sleep(0.005)  # the rate of the events
        self.proxy.mode = "pass"
        return made

    def _publish(self, numbers: range) -> None:
        self.station.put(*numbers)
        self.paho.publish(
            BARE_TOPIC, [event(number // 2, PHASES[number % 2]) for number in numbers]
        )

    def settle(self, made: int, seconds: float) -> tuple[Outcome, Outcome]:
        """What came of the station and of paho, when all of the station's has, or after so long."""
        with suppress(TimeoutError):  # what is missing is counted
            wait_until(lambda: len(set(self._numbers(EVENT_TOPIC))) >= made, seconds, "all events")
        station, paho = (tuple(self._numbers(topic)) for topic in (EVENT_TOPIC, BARE_TOPIC))
        return Outcome(made, station), Outcome(made, paho)

    def _numbers(self, topic: str) -> list[int]:
        found = self.subscriber.on(topic)
        return [2 * int(document["id"]) + PHASES.index(document["phase"]) for document in found]


class Faults:
    """One after the other, chosen by chance, with a moment of calm between."""

    def __init__(self, chance: random.Random, mosquitto: Mosquitto, proxy: TcpProxy) -> None:
        self._chance, self._mosquitto, self._proxy = chance, mosquitto, proxy
        self._ends = self._begins = time.monotonic() + 0.5

    def look(self, now: float) -> None:
        """Begin or end one when it is time."""
        if now >= self._ends:
            self._proxy.mode = "pass"
        if now >= self._begins:
            self._ends = now + self._chance.uniform(*_FAULT_SECONDS)
            self._begins = self._ends + self._chance.uniform(*_CALM_SECONDS)
            self._begin(self._chance.choice(["kill", "cut", *_MODES]))

    def _begin(self, fault: str) -> None:
        if fault == "kill":
            self._mosquitto.stop()
            self._mosquitto.start()
        if fault in ("cut", "refuse"):
            self._proxy.cut()
        self._proxy.mode = next((mode for mode in _MODES if mode == fault), "pass")


@contextmanager
def storm(directory: Path) -> Iterator[Storm]:
    """Everything at work, in calm."""
    mosquitto = Mosquitto(directory, *DURABLE, f"persistence_location {directory}/")
    with (
        mosquitto,
        TcpProxy(mosquitto.port) as proxy,
        _subscriber(mosquitto.port) as subscriber,
        outbox_station(proxy.port, directory / "outbox.db") as station,
    ):
        paho = BarePaho(proxy.port)
        with paho.running():
            yield Storm(mosquitto, proxy, subscriber, station, paho)


@contextmanager
def _subscriber(port: int) -> Iterator[SlowSubscriber]:
    """Its session is kept by the broker while it is away."""
    subscriber = SlowSubscriber(0.0, 0.0)
    client = make_client("subscriber")
    client.on_message = subscriber.on_message
    client.on_subscribe = lambda *_: subscriber.subscribed.set()
    client.on_connect = _subscribe
    client.reconnect_delay_set(1, 1)
    kept = Properties(PacketTypes.CONNECT)
    kept.SessionExpiryInterval = 3600
    client.connect("127.0.0.1", port, clean_start=False, properties=kept)
    client.loop_start()
    try:
        assert subscriber.subscribed.wait(20.0)
        yield subscriber
    finally:
        client.disconnect()
        client.loop_stop()


def _subscribe(client: Client, _userdata: Any, flags: ConnectFlags, *_: Any) -> None:
    if not flags.session_present:
        client.subscribe("earshot/#", 1)
