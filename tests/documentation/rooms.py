"""What docs/architecture.md takes from the source: the picture of the rooms and the list of files.

The picture is drawn from the floors in tests/test_imports.py, the list from the modules' docstrings.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.sax.saxutils import escape

from tests.shared import ROOT
from tests.test_imports import FLOORS, MODULES, TRAINER_FLOORS

PICTURE = ROOT / "docs" / "pictures" / "rooms.svg"
PAGE = ROOT / "docs" / "architecture.md"
HEAD, TAIL = "<!-- files: make docs -->\n", "<!-- end of files -->\n"
_WIDTH, _BOX_HEIGHT, _GAP, _HEAD = 1080, 34, 8, 30
_PER_ROW = 6
_STYLE = (
    "rect { fill: #fff; stroke: #33566f; } .floor { fill: #f4f6f8; stroke: #c9d1d9; } "
    "text { font-size: 12px; text-anchor: middle; fill: #14303f; } "
    ".head { font-size: 14px; font-weight: bold; text-anchor: start; }"
)


def rooms_picture(houses: Sequence[tuple[str, Sequence[set[str]]]]) -> str:
    """An SVG: for each package its floors from the roof down, each a row of boxes."""
    parts: list[str] = []
    top = _GAP
    for package, floors in houses:
        parts.append(f'<text class="head" x="{_GAP}" y="{top + 18}">{package}/</text>')
        top += _HEAD
        for floor in floors:
            rows = list(_rows(sorted(floor)))
            height = len(rows) * (_BOX_HEIGHT + _GAP) + _GAP
            parts.append(
                f'<rect class="floor" x="{_GAP}" y="{top}" width="{_WIDTH - 2 * _GAP}" '
                f'height="{height}" rx="6"/>'
            )
            for number, row in enumerate(rows):
                parts += _boxes(row, top + _GAP + number * (_BOX_HEIGHT + _GAP))
            top += height + _GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" '
        'font-family="Helvetica, Arial, sans-serif" role="img" '
        'aria-label="Rooms by floor: a room imports only from rooms below it">'
    )
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


def _rows(rooms: Sequence[str]) -> Iterator[Sequence[str]]:
    return (rooms[start : start + _PER_ROW] for start in range(0, len(rooms), _PER_ROW))


def _boxes(rooms: Sequence[str], top: int) -> Iterator[str]:
    width = (_WIDTH - 2 * _GAP - (_PER_ROW + 1) * _GAP) // _PER_ROW
    left = (_WIDTH - len(rooms) * (width + _GAP) + _GAP) // 2
    for number, room in enumerate(rooms):
        x = left + number * (width + _GAP)
        name = room.partition(".")[2] or "version"
        yield f'<rect x="{x}" y="{top}" width="{width}" height="{_BOX_HEIGHT}" rx="4"/>'
        yield f'<text x="{x + width // 2}" y="{top + 21}">{escape(name)}</text>'


def picture() -> str:
    """The picture of both programs."""
    return rooms_picture([("listener", FLOORS), ("trainer", TRAINER_FLOORS)])


def list_of_files() -> str:
    """Every module of both programs with the first line of its docstring, room by room."""
    modules = [name for name, path in MODULES.items() if not path.name.startswith("__")]
    parts = []
    folder_of = {name: MODULES[name].parent.relative_to(ROOT).as_posix() for name in modules}
    for folder, names in groupby(sorted(modules, key=lambda m: (folder_of[m], m)), folder_of.get):
        lines = [f"- `{MODULES[name].name}` {_first_line(name)}" for name in names]
        parts.append("\n".join([f"**`{folder}/`**", "", *lines, ""]))
    return "\n".join(parts)


def _first_line(module: str) -> str:
    text = ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def page() -> str:
    """The page with today's list of files."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(HEAD)
    return f"{before}{HEAD}\n{list_of_files()}\n{TAIL}{rest.partition(TAIL)[2]}"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
