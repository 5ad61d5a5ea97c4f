"""Broker away for hours.

0 lost up to `outbox.max_events` (100 000), in order, true times; beyond it counted.
"""

from __future__ import annotations

from pathlib import Path

from listener.outbox.store import Bounds
from tests.rigs.mosquitto import Mosquitto, wait_until
from tests.rigs.outbox_station import EVENT_TOPIC, TOPICS, event, make_station, outbox_station
from tests.rigs.slow_subscriber import BarePaho, slow_subscriber

EVENTS = 10_000
# The subscriber takes 500 a second and stands still for a second after each thousand. Mosquitto keeps
# 1000 for it (max_queued_messages) and drops the rest in silence.
SLOW = {"seconds": 0.002, "pause_seconds": 1.0}


def fill_outbox(path: Path, port: int) -> None:
    """Ten thousand messages while the broker is away, in a station that is then restarted."""
    station = make_station(port, path)
    station.outbox.start()
    for first in range(0, EVENTS, 1000):
        station.put(*range(first, first + 1000))
        wanted = first + 1000
        wait_until(lambda wanted=wanted: station.numbers.events >= wanted, 60.0, "all on disk")  # type: ignore[misc]
    station.outbox.close()


def test_ten_thousand_events_made_offline_reach_a_slow_subscriber_in_order(tmp_path: Path):
    mosquitto = Mosquitto(tmp_path)
    fill_outbox(tmp_path / "outbox.db", mosquitto.port)
    with (
        mosquitto,
        slow_subscriber(mosquitto.port, EVENT_TOPIC, **SLOW) as subscriber,
        outbox_station(mosquitto.port, tmp_path / "outbox.db") as station,
    ):
        subscriber.wait_for(EVENTS, 150.0)
        wait_until(lambda: station.numbers.events == 0, 20.0, "nothing waits any more")
        assert station.numbers.dropped == 0
    found = subscriber.documents
    assert [document["seq"] for document in found] == [*range(1, EVENTS + 1)]
    onsets = [event(number // 2)["onset"] for number in range(EVENTS)]
    assert [document["onset"] for document in found] == onsets


def test_bare_paho_loses_most_of_them(tmp_path: Path):
    mosquitto = Mosquitto(tmp_path)
    paho = BarePaho(mosquitto.port)
    paho.publish(EVENT_TOPIC, [event(number) for number in range(EVENTS)])
    with (
        mosquitto,
        slow_subscriber(mosquitto.port, EVENT_TOPIC, **SLOW) as subscriber,
        paho.running(),
    ):
        wait_until(lambda: paho.acknowledged == EVENTS, 60.0, "every message acknowledged")
        subscriber.wait_for_rest(3.0)
    assert len({document["id"] for document in subscriber.documents}) < EVENTS


def test_beyond_the_bound_the_oldest_are_counted_and_one_gap_stands_for_them(tmp_path: Path):
    mosquitto = Mosquitto(tmp_path)
    bounds = Bounds(max_events=500)
    station = make_station(mosquitto.port, tmp_path / "outbox.db", bounds)
    station.outbox.start()
    station.put(*range(1200))
    wait_until(lambda: station.numbers.dropped > 0, 60.0, "the oldest dropped")
    station.outbox.close()
    assert station.numbers.dropped == 701  # the gap is a message, too
    topics = f"{TOPICS.root}/#"
    with (
        mosquitto,
        slow_subscriber(mosquitto.port, topics) as subscriber,
        outbox_station(mosquitto.port, tmp_path / "outbox.db", bounds) as station,
    ):
        wait_until(lambda: station.numbers.events == 0, 60.0, "nothing waits any more")
        wait_until(lambda: len(subscriber.on(EVENT_TOPIC)) >= 499, 20.0, "all have come")
    gap, *events = subscriber.on(TOPICS.gap, EVENT_TOPIC)
    assert (gap["from_seq"], gap["to_seq"], gap["count"]) == (1, 701, 701)
    assert [document["seq"] for document in events] == [*range(702, 1201)]
