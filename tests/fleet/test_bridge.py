"""A site's bridge, as it ships, between two real Mosquittos."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle
from tests.bundles import LOW_TONE_HZ
from tests.rigs.commander import command, publish
from tests.rigs.mosquitto import Messages, Mosquitto, subscribe, wait_until
from tests.rigs.outbox_station import EVENT_TOPIC, OutboxStation, outbox_station
from tests.rigs.sites import (
    centre_broker,
    credentials,
    site_broker,
    stock_site_broker,
    word_of,
)
from tests.rigs.slow_subscriber import BarePaho
from tests.rigs.station import running_station
from tests.rigs.tcp_proxy import TcpProxy

AT_CENTRE = "sites/north/farm/hall/event"
CONNECTED = "sites/north/bridge"
OUTAGE_MESSAGES = 1100  # more than Mosquitto keeps by default (1000, and 20 in flight)
STOCK_MESSAGES = 3000
WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sites:
    """A centre, the way to it, and what a consumer there gets."""

    centre: Mosquitto
    link: TcpProxy
    messages: Messages

    def events(self) -> list[int]:
        """The `seq` of the events of the site's station, as they came."""
        return [
            json.loads(message.payload)["seq"]
            for message in self.messages.all
            if message.topic == AT_CENTRE
        ]

    def cut(self) -> None:
        """Cut the link, until its mode is set back."""
        self.link.mode = "refuse"
        self.link.cut()
        self.messages.wait_for_payload(CONNECTED, "0", WAIT_SECONDS)

    def wait_for_events(self, count: int) -> None:
        wait_until(
            lambda: len(set(self.events())) >= count, WAIT_SECONDS, f"{count} events at the centre"
        )


@contextmanager
def centre(directory: Path) -> Iterator[Sites]:
    (directory / "centre").mkdir()
    with ExitStack() as stack:
        broker = stack.enter_context(centre_broker(directory / "centre"))
        link = stack.enter_context(TcpProxy(broker.port))
        messages = stack.enter_context(subscribe(broker.port, "sites/#", *credentials("consumer")))
        yield Sites(broker, link, messages)


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    with centre(tmp_path) as sites:
        yield sites


def wait_until_linked(sites: Sites) -> None:
    sites.messages.wait_for_payload(CONNECTED, "1", WAIT_SECONDS)


@dataclass(frozen=True, slots=True)
class SiteStation:
    """The real outbox and connection of the station `farm`, and a subscriber beside it."""

    station: OutboxStation
    heard: Messages

    def put(self, first: int, count: int) -> None:
        """Messages, and wait until the site's broker has given them to its subscribers."""
        self.station.put(*range(first, first + count))
        wait_until(lambda: len(self.heard.all) >= first + count, WAIT_SECONDS, "all at the site")


@contextmanager
def station_of(site: Mosquitto, directory: Path) -> Iterator[SiteStation]:
    """At work until the end."""
    word = directory / "word"
    word.write_text(word_of("farm"))
    account = {"username": "farm", "password_file": word}
    with (
        subscribe(site.port, EVENT_TOPIC, *credentials("operator")) as heard,
        outbox_station(site.port, directory / "outbox.db", account=account) as station,
    ):
        yield SiteStation(station, heard)


def cut_off(sites: Sites, station: SiteStation, count: int = OUTAGE_MESSAGES) -> None:
    """Cut the link, and make messages meanwhile."""
    sites.cut()
    station.put(10, count)
    assert len(sites.events()) == 10


def test_what_is_heard_while_the_link_is_cut_reaches_the_centre_in_order(
    sites: Sites, tmp_path: Path
):
    site = site_broker(tmp_path, sites.link.port)
    with site, station_of(site, tmp_path) as station:
        wait_until_linked(sites)
        station.put(0, 10)
        sites.wait_for_events(10)
        cut_off(sites, station)
        sites.link.mode = "pass"
        sites.wait_for_events(10 + OUTAGE_MESSAGES)
    assert list(dict.fromkeys(sites.events())) == [*range(1, 11 + OUTAGE_MESSAGES)]


def test_as_it_comes_mosquitto_drops_what_is_over_a_thousand(sites: Sites, tmp_path: Path):
    """The control: why earshot.conf raises max_queued_messages."""
    site, documents = stock_site_broker(tmp_path, sites.link.port), [{"seq": 1}] * STOCK_MESSAGES
    with site:
        paho = BarePaho(site.port)
        wait_until_linked(sites)
        sites.cut()
        paho.publish(EVENT_TOPIC, documents)
        with paho.running():
            wait_until(lambda: paho.acknowledged == STOCK_MESSAGES, WAIT_SECONDS, "all at the site")
        sites.link.mode = "pass"
        wait_until(lambda: len(sites.events()) > 900, WAIT_SECONDS, "what it kept")
    assert "Outgoing messages are being dropped for client bridge-centre" in site.log
    assert len(sites.events()) < 1100


def test_what_waits_at_the_site_outlives_a_kill_of_its_broker(sites: Sites, tmp_path: Path):
    site = site_broker(tmp_path, sites.link.port)
    with site, station_of(site, tmp_path) as station:
        wait_until_linked(sites)
        station.put(0, 10)
        sites.wait_for_events(10)
        cut_off(sites, station, 200)
        site.stop()
        sites.link.mode = "pass"
        site.start()
        sites.wait_for_events(210)
    assert list(dict.fromkeys(sites.events())) == [*range(1, 211)]


def test_a_site_cannot_speak_for_another(sites: Sites, tmp_path: Path):
    (tmp_path / "north").mkdir()
    (tmp_path / "south").mkdir()
    site = site_broker(tmp_path / "north", sites.link.port)
    forger = site_broker(tmp_path / "south", sites.link.port, user="south", site="north")
    with (
        forger,
        station_of(forger, tmp_path / "south") as forging,
        site,
        station_of(site, tmp_path / "north") as station,
    ):
        wait_until_linked(sites)
        forging.put(0, 1)
        denied = re.compile(rf"Denied PUBLISH from earshot-south .*'{AT_CENTRE}'")
        wait_until(lambda: bool(denied.search(sites.centre.log)), WAIT_SECONDS, "it is denied")
        station.put(0, 2)
        sites.wait_for_events(2)
    assert sites.events() == [1, 2]  # and not 1 twice


def test_a_real_station_is_heard_and_commanded_from_the_centre(
    sites: Sites, tmp_path: Path, tones_bundle: Bundle
):
    site = site_broker(tmp_path, sites.link.port)
    t = np.arange(32_000) / 16_000
    sound = np.concatenate([0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * t), np.zeros(16_000)])
    soundfile.write(tmp_path / "hall.wav", sound, 16_000, subtype="PCM_16")
    (tmp_path / "word").write_text(word_of("farm"))
    config = {
        "station": "farm",
        "bundle": tones_bundle.path,
        "sources": [
            {"name": "hall", "kind": "file", "path": tmp_path / "hall.wav", "at_end": "restart"}
        ],
        "mqtt": {"port": site.port, "username": "farm", "password_file": tmp_path / "word"},
        "http": {"enabled": False},
        "control": {"mqtt": True},
    }
    with site, running_station(tmp_path, config) as station:
        wait_until_linked(sites)
        sites.messages.wait_for_topic(AT_CENTRE, seconds=WAIT_SECONDS)
        sites.messages.wait_for_payload("sites/north/farm/hall/status", "online", WAIT_SECONDS)
        order = json.dumps(command()).encode()
        topic = "sites/north/farm/command/reload"
        with subscribe(sites.centre.port, f"{topic}/result", *credentials("operator")) as answers:
            publish(sites.centre.port, topic, order, *credentials("operator"))
            [answer] = answers.wait_for_topic(f"{topic}/result", seconds=WAIT_SECONDS)
        assert json.loads(answer.payload)["ok"] is True
        assert station.stop(30) == 0
        sites.messages.wait_for_payload("sites/north/farm/status", "offline", WAIT_SECONDS)
    assert EVENT_TOPIC == "earshot/farm/hall/event"
    assert not [message for message in sites.messages.all if message.topic.endswith("/level")]
