"""The picture of the rooms is that of today's floors."""

from __future__ import annotations

from tests.documentation.rooms import PICTURE, picture, rooms_picture


def test_the_picture_is_up_to_date():
    assert PICTURE.read_text(encoding="utf-8") == picture(), "run make docs"


def test_every_room_has_a_box_on_its_floor():
    drawn = rooms_picture([("listener", [{"listener.cli"}, {"listener.a", "listener.b"}])])
    assert [drawn.count(f">{name}</text>") for name in ("cli", "a", "b")] == [1, 1, 1]
    assert drawn.count('class="floor"') == 2
