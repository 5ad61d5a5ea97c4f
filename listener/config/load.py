"""TOML -> settings. An error names the file, the key, the value and what is allowed."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from listener.config.outputs import MqttSettings
from listener.config.settings import Settings
from listener.config.sources import FileSettings
from listener.config.station import Config, ConfigError, ControlSettings

_MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 32  # tables and arrays in each other; no setting needs a third of it
_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")
_OUTLET_FILES = {"webhook": ("token_file", "ca_file", "waiting_file"), "event_file": ("path",)}


class _PathError(Exception):
    """What is wrong with a path in the config."""


def load_config(path: Path) -> Config:
    """The settings in a TOML file.

    Relative paths in it start at its directory; ~ and variables of the environment, such as systemd's
    $STATE_DIRECTORY and $CREDENTIALS_DIRECTORY, are filled in.

    Raises:
        ConfigError: unreadable, not TOML, an unknown key, a wrong type or value, a variable that is
            not set.
    """
    try:
        return _resolve(parse_config(_read_toml(path), str(path)), path.parent)
    except _PathError as error:
        raise ConfigError(f"{path}: {error}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the config: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"{path}: expected at most {_MAX_BYTES} bytes, it has more")
    too_deep = f"{path}: expected tables in few others, they are too deep"
    try:
        document = tomllib.loads(content.decode())
    except RecursionError as error:  # far above _MAX_DEPTH in every Python
        raise ConfigError(too_deep) from error
    except ValueError as error:  # not UTF-8, not TOML, or a number with thousands of digits
        raise ConfigError(f"{path}: expected TOML: {error}") from error
    if _is_deeper(document, _MAX_DEPTH):
        raise ConfigError(too_deep)
    return document


def _is_deeper(document: dict[str, Any], limit: int) -> bool:
    """Whether a table or array lies in `limit` others; level by level, without recursion."""
    level: list[Any] = [document]
    for _ in range(limit):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
    return bool(level)


def parse_config(document: dict[str, Any], origin: str) -> Config:
    """The settings of a parsed document; `origin` is named in errors.

    Raises:
        ConfigError: an unknown key, a wrong type or value.
    """
    try:
        # strict, so that "2" is no number and 1 is no truth; as JSON, so that a string can be a path
        return Config.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {_describe(error)}") from error


def _describe(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    key = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key{more}"
    if first["type"] == "missing":
        return f"{key}: {first['msg']}{more}"
    if first["type"] == "union_tag_not_found":
        return (
            f"{key}.kind: expected 'microphone', 'file', 'stdin' or 'stream', it is missing{more}"
        )
    secret = isinstance(first["input"], dict) or key.endswith("url")  # it may have a password in it
    value = "" if secret else f", got {first['input']!r}"
    return f"{key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}{value}{more}"


def _resolve(config: Config, directory: Path) -> Config:
    sources = tuple(
        source.model_copy(update={"path": _from(directory, source.path)})
        if isinstance(source, FileSettings)
        else source
        for source in config.sources
    )
    clips = config.clips.model_copy(update={"directory": _from(directory, config.clips.directory)})
    update: dict[str, Any] = {
        "bundle": _from(directory, config.bundle),
        "sources": sources,
        "clips": clips,
        "control": _resolve_control(config.control, directory),
    }
    outbox = config.outbox.model_copy(update={"path": _from(directory, config.outbox.path)})
    update["outbox"] = outbox
    known = _from(directory, config.homeassistant.state_file)
    update["homeassistant"] = config.homeassistant.model_copy(update={"state_file": known})
    for table, files in _OUTLET_FILES.items():
        settings = getattr(config, table)
        if settings is not None:
            update[table] = _resolve_files(settings, files, directory)
    if config.mqtt is not None:
        update["mqtt"] = _resolve_mqtt(config.mqtt, directory)
    return config.model_copy(update=update)


def _resolve_files(settings: Settings, files: tuple[str, ...], directory: Path) -> Settings:
    paths = {name: getattr(settings, name) for name in files}
    return settings.model_copy(
        update={name: _from(directory, path) for name, path in paths.items() if path is not None}
    )


def _resolve_control(control: ControlSettings, directory: Path) -> ControlSettings:
    files = {"state_file": control.state_file, "http_token_file": control.http_token_file}
    return control.model_copy(
        update={name: _from(directory, path) for name, path in files.items() if path is not None}
    )


def _resolve_mqtt(mqtt: MqttSettings, directory: Path) -> MqttSettings:
    update: dict[str, Any] = {}
    if mqtt.password_file is not None:
        update["password_file"] = _from(directory, mqtt.password_file)
    if mqtt.tls is not None:
        files = {name: path for name, path in mqtt.tls if path is not None}
        update["tls"] = mqtt.tls.model_copy(
            update={name: _from(directory, path) for name, path in files.items()}
        )
    return mqtt.model_copy(update=update)


def _from(directory: Path, path: Path) -> Path:
    filled = os.path.expandvars(path)
    unset = _VARIABLE.search(filled)
    if unset is not None:
        raise _PathError(f"{path}: expected {unset[0]} in the environment, it is not set")
    if "\0" in filled:
        raise _PathError(f"expected a path, got {filled!r}")
    try:
        return directory / Path(filled).expanduser()
    except RuntimeError as error:
        raise _PathError(f"{path}: expected the home of a user, there is none") from error
