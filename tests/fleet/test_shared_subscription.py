"""Consumers that share a subscription at the centre divide its messages among them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.mosquitto import Messages, Mosquitto, subscribe, wait_until
from tests.rigs.outbox_station import outbox_station
from tests.rigs.sites import centre_broker, credentials, word_of

EVENTS = 400
SHARED = "$share/feeders/sites/+/+/+/event"


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Mosquitto]:
    with centre_broker(tmp_path) as broker:
        yield broker


def numbers(*consumers: Messages) -> list[int]:
    """The `seq` of all that came, consumer by consumer."""
    return [
        json.loads(message.payload)["seq"] for consumer in consumers for message in consumer.all
    ]


def test_two_consumers_share_what_comes_none_twice_none_lost(centre: Mosquitto, tmp_path: Path):
    word = tmp_path / "word"
    word.write_text(word_of("north"))
    account = {"username": "north", "password_file": word}
    reader = credentials("consumer")
    with (
        subscribe(centre.port, SHARED, *reader) as first,
        subscribe(centre.port, SHARED, *reader) as second,
        subscribe(centre.port, "sites/+/+/+/event", *reader) as alone,
        outbox_station(centre.port, tmp_path / "outbox.db", account=account) as station,
    ):
        for number in range(EVENTS):
            station.outbox.put("sites/north/farm/hall/event", {"number": number})
        wait_until(lambda: len(alone.all) >= EVENTS, 60.0, "all at who is alone")
        wait_until(lambda: len(numbers(first, second)) >= EVENTS, 60.0, "all at both together")
    assert Counter(numbers(first, second)) == Counter(range(1, EVENTS + 1))
    assert min(len(first.all), len(second.all)) > EVENTS // 4
    assert numbers(alone) == [*range(1, EVENTS + 1)]  # the control: everybody else gets each
