"""The source keeps its bounds on files, functions, imports and paths; a figure counts what it says."""

from __future__ import annotations

import pytest

from tests.house import BOUNDS, Once, circles, figures, opened, read_source


@pytest.mark.parametrize("figure", BOUNDS)
def test_a_figure_keeps_its_bound(figure: str):
    holds, limit = BOUNDS[figure]
    value = figures()[figure]
    assert holds(value, limit), f"{figure}: {value:g}, bound {limit}; see python -m tests.house"


def test_a_private_function_named_once_is_listed_with_its_place_and_lines():
    text = (
        "def _once():\n"
        "    # a comment\n"
        "\n"
        "    return 1\n"
        "def _twice(): return _once()\n"
        "def public(): return _twice() + _twice()\n"
        "class Kept:\n"
        "    def _never(self): return public()\n"
        "    def __dunder(self): return self.value\n"
        "    @property\n"
        "    def _value(self): return self.__dunder()\n"
        "    def _method(self): return self._value\n"
        "    async def _callback(self): return self._method\n"
        "    def take(self): return self._callback\n"
    )
    source = read_source(text)
    assert source.once == (
        Once("_once", line=1, used_at=5, lines=2),
        Once("_method", line=12, used_at=13, lines=1),
        Once("_callback", line=13, used_at=14, lines=1),
    )
    assert (source.lines, source.functions) == (14, 9)


def test_import_lines_are_those_of_whole_statements():
    text = "import a\nfrom b import (\n    c,\n    d,\n)\ndef f():\n    import e; import g\n"
    assert read_source(text).import_lines == 6


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ('"""Words."""\n', True),
        ('__version__ = "1"\n', True),
        ("import a\n", False),
        ("class A: ...\n", False),
    ],
)
def test_a_file_is_bare_without_import_function_or_class(text: str, bare: bool):
    assert read_source(text).bare is bare


def test_a_circle_is_a_group_that_reaches_itself():
    graph = {
        "a": {"b", "d"},
        "b": {"c"},
        "c": {"a"},
        "d": {"e"},
        "e": {"d", "f"},
        "f": set[str](),
        "g": {"a", "f"},
    }
    assert circles(graph) == [["a", "b", "c"], ["d", "e"]]
    assert opened(graph, ["d"]) == {"d", "e", "f"}
    assert opened(graph, ["f", "g"]) == set(graph)
