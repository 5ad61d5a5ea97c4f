"""The recipes of docs/architecture.md hold: their files and names exist, and what ships follows them."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import get_args

import pytest
from pydantic import BaseModel

from listener.config import engine, sources
from listener.config.station import Config
from listener.control import commands
from tests.shared import ROOT
from tests.test_imports import SOURCE_ADAPTERS

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
RECIPES = PAGE[PAGE.index("## Recipes") :]
STEPS = [
    re.sub(r"\s+", " ", step)
    for step in re.split(r"\n(?=\d\. |### )", RECIPES)
    if re.match(r"\d\. ", step)
]
WORDS_OF_OTHERS = {"B", "K", "D", "case", "kind", "make docs", "trainer promote"}


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def definitions(path: str) -> set[str]:
    """Names that a module defines, at the top or in a class."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def cases(path: str, function: str) -> str:
    """The source of one function."""
    found = [
        node
        for node in ast.walk(ast.parse(text(path)))
        if isinstance(node, ast.FunctionDef) and node.name == function
    ]
    assert len(found) == 1, f"{path} has {len(found)} functions {function}"
    return ast.unparse(found[0])


PATHS = sorted(
    {
        path.removesuffix("/")
        for path in re.findall(r"`((?:listener|trainer|tests|docs|benchmarks)/[\w./]*)`", PAGE)
        if "yours" not in path
    }
)


@pytest.mark.parametrize("path", PATHS)
def test_a_file_that_the_page_names_is_there(path: str):
    assert (ROOT / path).exists()


def test_a_file_that_the_flow_names_without_its_package_is_there():
    short = re.findall(r"`((?:\w+/)+\w+\.py)`", PAGE[: PAGE.index("## The rooms")])
    assert short
    missing = [
        name
        for name in short
        if not any((ROOT / folder / name).exists() for folder in ("", "listener", "trainer"))
    ]
    assert missing == []


@pytest.mark.parametrize("step", STEPS)
def test_a_name_in_a_step_is_defined_in_one_of_its_files(step: str):
    quoted = re.findall(r"`([^`]+)`", step)
    files = [word for word in quoted if word.endswith(".py") and "yours" not in word]
    names = {w for w in quoted if re.fullmatch(r"[A-Za-z_]\w+", w)} - WORDS_OF_OTHERS
    defined = {name for file in files for name in definitions(file)}
    assert names <= defined or not files, names - defined


def test_every_source_follows_the_recipe():
    settings = get_args(get_args(sources.SourceSettings)[0])
    kinds = {get_args(each.model_fields["kind"].annotation)[0] for each in settings}
    assert kinds == SOURCE_ADAPTERS
    opened = cases("listener/adapters.py", "open_source")
    for each, kind in ((each, each.__name__.removesuffix("Settings").lower()) for each in settings):
        assert f"{each.__name__}()" in opened
        assert f"listener.sources.{kind}" in opened
        assert {"read", "close"} <= definitions(f"listener/sources/{kind}.py")
        assert (ROOT / f"tests/listener/sources/test_{kind}.py").exists()
        assert f'kind = "{kind}"' in text("config.example.toml")


def test_every_engine_follows_the_recipe():
    kinds = get_args(engine.EngineKind)
    assert kinds
    loaded = cases("listener/adapters.py", "_open_local")
    for kind in kinds:
        assert f"case '{kind}'" in loaded
        assert "infer" in definitions(f"listener/engines/{kind}.py")
        assert (ROOT / f"tests/listener/engines/test_{kind}.py").exists()


@pytest.mark.parametrize("name", ["webhook", "event_file", "hook"])
def test_every_event_output_follows_the_recipe(name: str):
    settings = [part for part in get_args(Config.model_fields[name].annotation) if part is not None]
    assert issubclass(settings[0], BaseModel)
    assert settings[0].__name__ in definitions("listener/config/outputs.py")
    assert {"accepts", "handle", "close"} <= definitions(f"listener/sinks/{name}.py")
    assert f"self.sinks['{name}']" in ast.unparse(ast.parse(text("listener/build.py")))
    assert (ROOT / f"tests/listener/sinks/test_{name}.py").exists()


def test_every_command_follows_the_recipe():
    handled = text("listener/control/handlers.py")
    table = text("docs/mqtt.md")
    for command in get_args(commands.Command):
        assert f"case {command.__name__}()" in handled
    for name in commands.COMMAND_NAMES:
        assert f"`{name}`" in table


def test_steps_are_numbered_in_order():
    numbers = [int(step.split(".")[0]) for step in STEPS]
    assert numbers
    assert all(later in (1, earlier + 1) for earlier, later in pairwise(numbers))
