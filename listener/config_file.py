"""TOML -> settings. An error names the file, the key, the value and what is allowed."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from listener.config import Config, ConfigError, ControlSettings, FileSettings, MqttSettings


def load_config(path: Path) -> Config:
    """The settings in a TOML file; relative paths in it start at its directory.

    Raises:
        ConfigError: unreadable, not TOML, an unknown key, a wrong type or value.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the config: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: expected TOML: {error}") from error
    return _resolve(parse_config(document, str(path)), path.parent)


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
    value = "" if isinstance(first["input"], dict) else f", got {first['input']!r}"
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
    if config.mqtt is not None:
        update["mqtt"] = _resolve_mqtt(config.mqtt, directory)
    return config.model_copy(update=update)


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
    return directory / Path(os.path.expandvars(path)).expanduser()
