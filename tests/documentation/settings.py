"""The tables of the config as its models have them, and what the example says of each key."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from listener.config.settings import Settings
from listener.config.station import Config

_HEADER = re.compile(r"^(?:# )?\[+([a-z_.]+)\]+")
_KIND = re.compile(r'^(?:# )?kind = "([a-z]+)"')
_KEY = re.compile(r"^(?:# )?([a-z_]+) = [^#]+?# (.+)$")


@dataclass(frozen=True, slots=True)
class SettingsTable:
    """One table: where it stands, e.g. `mqtt.tls`, or `sources` of one kind, and its model."""

    path: str
    model: type[Settings]

    @property
    def kind(self) -> str | None:
        """Of a source; None for every other table."""
        field = self.model.model_fields.get("kind") if self.path == "sources" else None
        return None if field is None else str(typing.get_args(field.annotation)[0])

    @property
    def keys(self) -> dict[str, dict[str, Any]]:
        """The JSON schema of each key that is no table itself."""
        properties: dict[str, dict[str, Any]] = self.model.model_json_schema()["properties"]
        fields = self.model.model_fields
        return {
            name: schema
            for name, schema in properties.items()
            if not [*models_in(fields[name].annotation)]
        }


def settings_tables(model: type[Settings] = Config, path: str = "") -> Iterator[SettingsTable]:
    """The table of a model and all those in it, in the order of the models."""
    yield SettingsTable(path, model)
    for name, field in model.model_fields.items():
        inner_path = f"{path}.{name}" if path else name
        if typing.get_origin(field.annotation) is dict:
            inner_path += ".<name>"
        for inner in models_in(field.annotation):
            yield from settings_tables(inner, inner_path)


def models_in(annotation: object) -> Iterator[type[Settings]]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models_in(argument)


def example_comments(example: Path) -> dict[tuple[str, str], str]:
    """What stands beside each key in the example, by table and key; a source's table is its kind."""
    comments: dict[tuple[str, str], str] = {}
    table, in_sources = "", False
    for line in example.read_text().splitlines():
        if header := _HEADER.match(line):
            table = header[1]
            in_sources = table == "sources"
        elif in_sources and (kind := _KIND.match(line)):
            table = kind[1]
        if key := _KEY.match(line):
            comments[table, key[1]] = key[2]
    return comments
