"""Renders templates as Home Assistant does: its Jinja sandbox, with the few names that ours use.

https://www.home-assistant.io/docs/configuration/templating/#using-command-templates-with-the-mqtt-integration
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment


def _now() -> datetime:
    return datetime.now().astimezone()  # aware, in the local zone, as Home Assistant's


def _device_attr(_entity_id: str, name: str) -> str | None:
    return "Hall" if name == "name" else None  # it was not renamed


def _as_timestamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _timestamp_custom(seconds: float, form: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(form)  # for a house in Greenwich


_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
_ENVIRONMENT.globals |= {"now": _now, "as_datetime": datetime.fromisoformat}
_ENVIRONMENT.globals |= {"as_timestamp": _as_timestamp, "device_attr": _device_attr}
_ENVIRONMENT.filters |= {"timestamp_custom": _timestamp_custom}


def render(template: str, **names: Any) -> str:
    """What a template gives, as text."""
    return _ENVIRONMENT.from_string(template).render(**names)


def render_value(template: str, payload: str) -> str:
    """What a value template makes of a message."""
    try:
        return render(template, value=payload, value_json=json.loads(payload))
    except json.JSONDecodeError:
        return render(template, value=payload)


def render_command(component: dict[str, Any], value: Any = None, **attributes: Any) -> str:
    """What is sent when the entity is used; `attributes` are its own."""
    this = SimpleNamespace(attributes=SimpleNamespace(**attributes))
    return render(component["command_template"], value=value, this=this)
