"""TOML -> settings. An error names the file, the key, the value and what is allowed."""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from listener.config.settings import Settings
from listener.config.station import Config, ConfigError
from listener.validation import first_problem

_MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 32  # nested tables and arrays; no setting needs a third of it
_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")


def load_config(path: Path) -> Config:
    """The settings in a TOML file.

    Relative paths in it start at its directory; ~ and environment variables, such as systemd's
    $STATE_DIRECTORY and $CREDENTIALS_DIRECTORY, are expanded.

    Raises:
        ConfigError: unreadable, not TOML, an unknown key, a wrong type or value, a variable that is
            not set.
    """
    config: Config = _with_full_paths(parse_config(_read_toml(path), str(path)), path)
    return config


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
    problem = first_problem(error)
    more = f" (and {problem.others} more)" if problem.others else ""
    if problem.kind == "extra_forbidden":
        return f"{problem.key}: unknown key{more}"
    if problem.kind == "union_tag_not_found":
        kinds = "'microphone', 'file', 'stdin' or 'stream'"
        return f"{problem.key}.kind: expected {kinds}, it is missing{more}"
    # a URL may hold a password, and so may a table; no other key has url in its name
    hidden = isinstance(problem.value, dict) or "url" in problem.key
    return f"{problem}{'' if hidden else f', got {problem.value!r}'}{more}"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the config: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"{path}: expected at most {_MAX_BYTES} bytes, got more")
    too_deep = f"{path}: expected at most {_MAX_DEPTH} nested tables, got more"
    try:
        document = tomllib.loads(content.decode())
    except RecursionError as error:  # far above _MAX_DEPTH in every Python
        raise ConfigError(too_deep) from error
    except ValueError as error:  # not UTF-8, not TOML, or a number with thousands of digits
        raise ConfigError(f"{path}: expected TOML: {error}") from error
    level: list[Any] = [document]  # of nesting, without recursion
    for _ in range(_MAX_DEPTH):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [one for values in inner for one in values if isinstance(one, dict | list)]
    if level:
        raise ConfigError(too_deep)
    return document


def _with_full_paths(value: Any, config_path: Path) -> Any:
    """Settings, or a value in them, with every path expanded and absolute."""
    if isinstance(value, Path):
        return _full_path(value, config_path)
    if isinstance(value, tuple):
        return tuple(_with_full_paths(item, config_path) for item in value)
    if not isinstance(value, Settings):
        return value
    return value.model_copy(update={key: _with_full_paths(old, config_path) for key, old in value})


def _full_path(path: Path, config_path: Path) -> Path:
    expanded = os.path.expandvars(path)
    unset = _VARIABLE.search(expanded)
    if unset is not None:
        raise ConfigError(
            f"{config_path}: {path}: expected {unset[0]} in the environment, it is not set"
        )
    if "\0" in expanded:
        raise ConfigError(f"{config_path}: expected a path, got {expanded!r}")
    try:
        return config_path.parent / Path(expanded).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{config_path}: {path}: expected the home of a user, there is none"
        ) from error
