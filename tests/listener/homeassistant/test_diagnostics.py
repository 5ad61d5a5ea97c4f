"""The station's numbers, when they change and not too often."""

from __future__ import annotations

import json

from listener.health import Health, OutboxHealth
from listener.homeassistant.diagnostics import (
    INTERVAL_SECONDS,
    Diagnostics,
    diagnostics_document,
)
from tests.listener.sinks.notices import NotebookPublisher


def make_health() -> Health:
    health = Health(("dog",), "home-alarms@3", outbox=OutboxHealth())
    for name in ("hall", "barn"):
        health.add_source(name)
    return health


def test_the_numbers_are_sums():
    health = make_health()
    assert health.outbox is not None
    health.sources["hall"].dropped, health.sources["barn"].dropped = 3, 4
    health.outbox.events = 9
    assert diagnostics_document(health) == {"dropped_patches": 7, "waiting_messages": 9}


def test_they_are_retained_when_they_change_and_not_too_often():
    now, health, publisher = [0.0], make_health(), NotebookPublisher()
    diagnostics = Diagnostics(publisher, "farm/diagnostics", health, lambda: now[0])
    diagnostics.look()
    health.sources["hall"].dropped = 1
    diagnostics.look()
    now[0] = INTERVAL_SECONDS
    for _ in range(3):
        diagnostics.look()
    said = [json.loads(message.payload)["dropped_patches"] for message in publisher.published]
    assert said == [0, 1]
    assert all((m.topic, m.retain) == ("farm/diagnostics", True) for m in publisher.published)
