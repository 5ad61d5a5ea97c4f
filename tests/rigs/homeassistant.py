"""What Home Assistant does with a broker: reads what is retained, is born, uses entities."""

from __future__ import annotations

import json
from typing import Any

from tests.listener.homeassistant.templates import render_command
from tests.rigs.commander import publish
from tests.rigs.mosquitto import subscribe

_MARK = "the-rig/mark"


def retained(port: int, *filters: str) -> dict[str, str]:
    """What a new subscriber is given at once, by topic."""
    more = [option for one in filters for option in ("-t", one)]
    with subscribe(port, _MARK, *more) as messages:
        publish(port, _MARK, b"x")  # the broker sends what is retained before it
        messages.wait_for_topic(_MARK, seconds=30)
        return {m.topic: m.payload for m in messages.all if m.topic != _MARK and m.payload}


def discovered(port: int, prefix: str = "homeassistant") -> dict[str, dict[str, Any]]:
    """Discovery documents by topic."""
    found = retained(port, f"{prefix}/#")
    return {topic: json.loads(payload) for topic, payload in found.items()}


def be_born(port: int) -> None:
    """The birth message of a Home Assistant that has started."""
    publish(port, "homeassistant/status", b"online")


def use(port: int, component: dict[str, Any], value: Any = None, **attributes: Any) -> None:
    """Use a discovered entity, which has these attributes."""
    payload = render_command(component, value, **attributes)
    publish(port, component["command_topic"], payload.encode())
