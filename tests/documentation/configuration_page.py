"""docs/configuration.md, made of the config's models and the example: `make docs`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

from tests.documentation.settings import SettingsTable, example_comments, settings_tables
from tests.shared import ROOT

PAGE = ROOT / "docs" / "configuration.md"
EXAMPLE = ROOT / "config.example.toml"
_INTRODUCTION = """\
# Configuration

<!-- Made by `make docs` of listener/config/ and config.example.toml: change those. -->

A station reads one TOML file, `config.toml` unless `--config` names another. `config.example.toml` shows
every setting with its default; copy it and keep what you need. A key that does not exist, a wrong type or
a value out of its range is one line that names file, key and value, and nothing starts. Relative paths
begin at the file's directory; `~` and variables such as `$STATE_DIRECTORY` are filled in.
"""
_TYPES = {"number": "number", "integer": "whole number", "boolean": "true or false"}


def configuration_page() -> str:
    """The whole page, Markdown."""
    comments = example_comments(EXAMPLE)
    tables = list(settings_tables())
    return "\n".join([_INTRODUCTION, *(_section(table, tables, comments) for table in tables)])


def _section(
    table: SettingsTable, tables: list[SettingsTable], comments: dict[tuple[str, str], str]
) -> str:
    lines = [_heading(table), "", inspect.cleandoc(table.model.__doc__ or ""), ""]
    if table.keys:
        lines += ["| key | default | allowed | |", "|---|---|---|---|"]
    for key, schema in table.keys.items():
        said = _said(key, _places(table, tables), comments)
        default = _default(table, key)
        lines.append(f"| `{key}` | {default} | {', '.join(_allowed(schema))} | {said} |")
    return "\n".join([*lines, ""])


def _places(table: SettingsTable, tables: list[SettingsTable]) -> set[str]:
    """The tables of the example that may tell of this one's keys."""
    if table.kind is not None:
        return {table.kind, "sources"}
    return {other.path for other in tables if other.model is table.model}


def _said(key: str, places: set[str], comments: dict[tuple[str, str], str]) -> str:
    for (table, said_key), comment in comments.items():
        above = table.rpartition(".")[0]
        if said_key == key and ({table, f"{above}.<name>"} & places):
            return comment.replace("|", "\\|")
    return ""


def _heading(table: SettingsTable) -> str:
    if table.kind is not None:
        return f'## `[[sources]]` of `kind = "{table.kind}"`'
    return f"## `[{table.path}]`" if table.path else "## At the top of the file"


def _default(table: SettingsTable, key: str) -> str:
    field = table.model.model_fields[key]
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True)
    return "" if default is None else f"`{json.dumps(default, default=str)}`"


def _allowed(schema: dict[str, Any]) -> Iterator[str]:
    choices = [choice for choice in schema.get("anyOf", [schema]) if choice.get("type") != "null"]
    for choice in choices:
        yield _words(choice)


def _words(schema: dict[str, Any]) -> str:
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(f"`{json.dumps(value)}`" for value in values)
    if schema["type"] == "array":
        return "list"
    if schema["type"] == "string":
        pattern = schema.get("pattern")
        form: str = schema.get("format", "text")
        return f"{form} like `{pattern}`" if pattern else form
    kind: str = schema["type"]
    return _TYPES[kind] + "".join(_bounds(schema))


def _bounds(schema: dict[str, Any]) -> Iterator[str]:
    for name, words in (
        ("exclusiveMinimum", " over"),
        ("minimum", " from"),
        ("maximum", ", at most"),
    ):
        if name in schema:
            yield f"{words} {schema[name]:g}" if schema[name] < 1e6 else f"{words} {schema[name]}"


if __name__ == "__main__":
    PAGE.write_text(configuration_page())
