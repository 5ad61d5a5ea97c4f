"""The settings of a station: keys, types, defaults, bounds."""

from __future__ import annotations

import importlib
import json
import pkgutil
import tomllib
from typing import Any

from pydantic import BaseModel

from tests.contracts.dump import TREE, Dump

_EVERY_TABLE: dict[str, Any] = {
    "bundle": "b",
    "sources": [
        {"name": "a", "kind": "microphone"},
        {"name": "b", "kind": "stream", "url": "rtsp://camera.example/audio"},
        {"name": "c", "kind": "file", "path": "c.wav"},
        {"name": "d", "kind": "stdin"},
    ],
    "labels": {"dog": ["Bark"], "baby": {"members": ["Whimper"]}},
    "detection": {"default_policy": {}, "policies": {"dog": {}}},
    "mqtt": {"tls": {}},
    "webhook": {"url": "https://example.org"},
    "event_file": {"path": "events.jsonl"},
    "hook": {"program": ["/bin/true"]},
    "quiet": [{"begin": "22:00", "end": "07:00", "labels": ["dog"]}],
}


def dump_settings(dump: Dump) -> None:
    """The schema of the config, without words and the names of classes, and what the defaults are."""
    model = _config_model()
    schema = model.model_json_schema()
    dump.json("schema.json", _normalised(schema, schema.get("$defs", {})))
    dump.json("defaults.json", _load(model, _EVERY_TABLE))
    example = tomllib.loads((TREE / "config.example.toml").read_text())
    dump.json("example.json", _load(model, example))


def _config_model() -> type[BaseModel]:
    """The one model with a station, a bundle and sources, whatever it and its module are called."""
    package = importlib.import_module("listener.config")
    modules = [
        importlib.import_module(each.name)
        for each in pkgutil.walk_packages(package.__path__, "listener.config.")
    ]
    found = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, BaseModel)
        and {"station", "bundle", "sources"} <= set(value.model_fields)
    }
    (model,) = found
    return model


def _load(model: type[BaseModel], document: dict[str, Any]) -> Any:
    return model.model_validate_json(json.dumps(document), strict=True).model_dump(mode="json")


def _normalised(node: Any, models: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return sorted(
            (_normalised(item, models) for item in node),
            key=lambda item: json.dumps(item, sort_keys=True),
        )
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = models[node["$ref"].rpartition("/")[2]] | {
            k: v for k, v in node.items() if k != "$ref"
        }
    worded = {k for k in ("title", "description") if isinstance(node.get(k), str)} | {"$defs"}
    if "mapping" in node:
        node = node | {"mapping": sorted(node["mapping"])}
    return {key: _normalised(value, models) for key, value in node.items() if key not in worded}
