"""The outbox with a real broker: messages are sent, acknowledged, refused and replayed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.mosquitto import Messages, Mosquitto, free_port, subscribe, wait_until
from tests.rigs.outbox_station import EVENT_TOPIC, make_station, outbox_station


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def received(messages: Messages) -> list[int]:
    return [json.loads(message.payload)["seq"] for message in messages.all]


def test_seq_continues_over_restarts_and_nothing_is_sent_twice(
    mosquitto: Mosquitto, tmp_path: Path
):
    with subscribe(mosquitto.port, EVENT_TOPIC) as messages:
        for first in (0, 4, 8):
            with outbox_station(mosquitto.port, tmp_path / "outbox.db") as station:
                station.put(*range(first, first + 4))
                messages.wait_for_topic(EVENT_TOPIC, first + 4, 30.0)
        assert received(messages) == [*range(1, 13)]


def test_closing_sends_what_was_just_put(mosquitto: Mosquitto):
    with subscribe(mosquitto.port, EVENT_TOPIC) as messages:
        with outbox_station(mosquitto.port, None) as station:
            station.put(0)
            messages.wait_for_topic(EVENT_TOPIC, 1, 20.0)  # there is a connection
            station.put(*range(1, 20))
        messages.wait_for_topic(EVENT_TOPIC, 20, 20.0)


def test_what_cannot_be_stored_costs_no_other_message(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
):
    """Without its barrier the thread would end there, and nothing be sent any more."""
    with (
        subscribe(mosquitto.port, EVENT_TOPIC) as messages,
        outbox_station(mosquitto.port, None) as station,
    ):
        station.put(0)
        station.outbox.put(EVENT_TOPIC, {"id": object()})
        station.put(1)
        messages.wait_for_topic(EVENT_TOPIC, 2, 30.0)
        assert station.health.faults == {"outbox": 1}
        with pytest.raises(TypeError):
            station.outbox._store.put(EVENT_TOPIC, {"id": object()})
    assert "outbox: failed, and goes on: Traceback" in caplog.text


def test_a_replay_that_nobody_waits_for_is_not_sent(mosquitto: Mosquitto, tmp_path: Path):
    with subscribe(mosquitto.port, EVENT_TOPIC) as messages:
        with outbox_station(mosquitto.port, tmp_path / "outbox.db") as station:
            station.put(*range(4))
            messages.wait_for_topic(EVENT_TOPIC, 4, 30.0)
        late = make_station(
            mosquitto.port, tmp_path / "outbox.db"
        )  # not started: it does not answer
        assert late.outbox.replay(1, 4).cancel()
        late.broker.start()
        late.outbox.start()
        late.outbox.put(EVENT_TOPIC, {"id": "after"})
        messages.wait_for_topic(EVENT_TOPIC, 5, 30.0)
        late.outbox.close()
        late.broker.close()
    assert received(messages) == [1, 2, 3, 4, 5]


def test_a_replay_sends_the_same_again(mosquitto: Mosquitto, tmp_path: Path):
    with (
        subscribe(mosquitto.port, EVENT_TOPIC) as messages,
        outbox_station(mosquitto.port, tmp_path / "outbox.db") as station,
    ):
        station.put(*range(6))
        messages.wait_for_topic(EVENT_TOPIC, 6, 30.0)
        wait_until(lambda: station.numbers.events == 0, 20.0, "all acknowledged")
        assert station.outbox.replay(2, 4).result(20) == 3
        messages.wait_for_topic(EVENT_TOPIC, 9, 30.0)
    payloads = [message.payload for message in messages.all]
    assert payloads[6:] == payloads[1:4]


def test_what_the_acl_denies_is_a_dead_letter_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite earshot/farm/#\n")
    acl.chmod(0o600)
    with (
        Mosquitto(tmp_path, f"acl_file {acl}") as mosquitto,
        subscribe(mosquitto.port, EVENT_TOPIC) as messages,
        outbox_station(mosquitto.port, tmp_path / "outbox.db") as station,
    ):
        station.outbox.put("elsewhere/event", {"id": "x"})
        station.put(0)
        messages.wait_for_topic(EVENT_TOPIC, 1, 30.0)
        wait_until(lambda: station.numbers.dead == 1, 20.0, "a dead letter")
    assert "is a dead letter: refused by the broker: Not authorized" in caplog.text


def test_without_a_broker_everything_is_on_disk_and_the_age_is_known(tmp_path: Path):
    with outbox_station(free_port(), tmp_path / "outbox.db") as station:
        station.put(*range(10))
        wait_until(lambda: station.numbers.events == 10, 20.0, "all on disk")
        assert station.numbers.unsaved == 0
        assert station.numbers.oldest_at is not None
        assert "outbox" in station.health.heartbeats


def test_with_a_bad_disk_the_station_is_not_ready_and_events_are_sent(
    mosquitto: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    with (
        subscribe(mosquitto.port, EVENT_TOPIC) as messages,
        outbox_station(mosquitto.port, blocked / "outbox.db") as station,
    ):
        station.put(0)
        messages.wait_for_topic(EVENT_TOPIC, 1, 30.0)
        assert any(line.startswith("outbox: ") for line in station.health.unready(10.0))
        blocked.unlink()
        station.put(1)
        messages.wait_for_topic(EVENT_TOPIC, 2, 30.0)
        wait_until(lambda: station.numbers.failing is None, 30.0, "the disk in use again")
        wait_until(lambda: station.numbers.unsaved == 0, 30.0, "all of it on disk")
    assert caplog.text.count("messages stay in memory") == 1
    assert "can be used again" in caplog.text
