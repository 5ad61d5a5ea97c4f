"""A schema of Home Assistant's device discovery documents, written from its documentation.

https://www.home-assistant.io/integrations/mqtt/#discovery-messages and the pages of the platforms
(`/integrations/binary_sensor.mqtt/` and so on), compared with the schemas in core's
`homeassistant/components/mqtt` of 2026. Device discovery came with 2024.12, a switch's
`command_template` with 2024.8.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jinja2
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

UNIQUE_ID = "unique_id"


def _template(text: str) -> str:
    try:
        jinja2.Environment(autoescape=False).parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"expected a template: {error}") from error
    return text


def _subscribed(topic: str) -> str:
    assert topic, "a topic is not empty"
    assert not set(topic) & set("#+\0"), "one topic, no filter"
    return topic


Template = Annotated[str, AfterValidator(_template)]
Topic = Annotated[str, AfterValidator(_subscribed)]
Icon = Annotated[str, Field(pattern=r"^mdi:[a-z-]+$")]
Qos = Literal[0, 1, 2]
Mode = Literal["all", "any", "latest"]

# https://www.home-assistant.io/integrations/binary_sensor/#device-class
BinarySensorClass = Literal[
    "battery", "battery_charging", "carbon_monoxide", "cold", "connectivity", "door", "garage_door", "gas",
    "heat", "light", "lock", "moisture", "motion", "moving", "occupancy", "opening", "plug", "power",
    "presence", "problem", "running", "safety", "smoke", "sound", "tamper", "update", "vibration", "window",
]  # fmt: skip


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Availability(Strict):
    topic: Topic
    payload_available: str = "online"
    payload_not_available: str = "offline"
    value_template: Template | None = None


class Device(Strict):
    identifiers: Annotated[list[str], Field(min_length=1)]
    name: str
    manufacturer: str | None = None
    model: str | None = None
    sw_version: str | None = None
    via_device: str | None = None


class Origin(Strict):
    name: str
    sw_version: str | None = None
    support_url: str | None = None


class Entity(Strict):
    """What every entity may have."""

    unique_id: str
    name: str
    icon: Icon | None = None
    entity_category: Literal["config", "diagnostic"] | None = None
    enabled_by_default: bool = True
    availability: list[Availability] | None = None
    availability_mode: Mode = "latest"
    json_attributes_topic: Topic | None = None
    json_attributes_template: Template | None = None
    qos: Qos = 0

    @model_validator(mode="after")
    def _template_has_its_topic(self) -> Entity:
        assert self.json_attributes_topic or not self.json_attributes_template
        return self


class BinarySensor(Entity):
    platform: Literal["binary_sensor"]
    state_topic: Topic
    device_class: BinarySensorClass | None = None
    payload_on: str = "ON"
    payload_off: str = "OFF"
    value_template: Template | None = None


class Sensor(Entity):
    platform: Literal["sensor"]
    state_topic: Topic
    state_class: Literal["measurement", "total", "total_increasing"] | None = None
    unit_of_measurement: str | None = None
    suggested_display_precision: Annotated[int, Field(ge=0)] | None = None
    value_template: Template | None = None


class Event(Entity):
    platform: Literal["event"]
    state_topic: Topic
    event_types: list[str]
    value_template: Template | None = None


class Switch(Entity):
    platform: Literal["switch"]
    command_topic: Topic
    state_topic: Topic | None = None
    command_template: Template | None = None
    retain: Literal[False] = False


class Number(Entity):
    platform: Literal["number"]
    command_topic: Topic
    state_topic: Topic | None = None
    command_template: Template | None = None
    min: float = 1
    max: float = 100
    step: Annotated[float, Field(ge=0.001)] = 1
    mode: Literal["auto", "box", "slider"] = "auto"
    retain: Literal[False] = False


class Button(Entity):
    platform: Literal["button"]
    command_topic: Topic
    command_template: Template | None = None
    retain: Literal[False] = False


class Removal(Strict):
    """The removal of a component: its platform alone."""

    platform: Literal["binary_sensor", "button", "event", "number", "sensor", "switch"]


Living = Annotated[
    BinarySensor | Button | Event | Number | Sensor | Switch, Field(discriminator="platform")
]


class Discovery(Strict):
    device: Device
    origin: Origin
    components: dict[str, dict[str, Any]]
    availability: list[Availability] | None = None
    availability_mode: Mode = "latest"
    qos: Qos = 0


_LIVING: TypeAdapter[Any] = TypeAdapter(Living)


def problems(document: dict[str, Any]) -> list[str]:
    """What Home Assistant would reject in a discovery document."""
    found: list[str] = []
    try:
        discovery = Discovery.model_validate(document)
    except ValidationError as error:
        return [str(error)]
    for name, component in discovery.components.items():
        try:
            if component.keys() == {"platform"}:
                Removal.model_validate(component)
            else:
                _LIVING.validate_python(component)
        except ValidationError as error:
            found.append(f"{name}: {error}")
    ids = [c[UNIQUE_ID] for c in discovery.components.values() if UNIQUE_ID in c]
    return found + sorted({f"twice: {one}" for one in ids if ids.count(one) > 1})
