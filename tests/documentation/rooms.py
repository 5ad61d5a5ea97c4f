"""The picture of the rooms in docs/, drawn from the floors in tests/test_imports.py: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from tests.shared import ROOT
from tests.test_imports import FLOORS

PICTURE = ROOT / "docs" / "pictures" / "rooms.svg"
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
    return rooms_picture([("listener", FLOORS)])


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
