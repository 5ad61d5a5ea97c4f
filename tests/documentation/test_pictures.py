"""The picture in docs/ can be taken again, and is small enough to be kept."""

from pathlib import Path

import pytest
from PIL import Image

from tests.documentation.pictures import PICTURE, SIZE, take_picture
from tests.listener.review.page_station import station_with_page

MOST_BYTES = 150_000
LEAST_COLOURS = 200  # letters and buttons alone have fewer


def test_the_page_still_gives_such_a_picture(tmp_path: Path):
    taken = tmp_path / "review.png"
    with station_with_page(tmp_path) as station:
        take_picture(station, taken)
    with Image.open(taken) as picture:
        assert picture.size == (SIZE["width"], SIZE["height"])
        colours = picture.getcolors(SIZE["width"] * SIZE["height"])
    assert colours is not None
    assert len(colours) > LEAST_COLOURS
    assert taken.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("page", ["README.md", "docs/review.md"])
def test_the_picture_that_is_kept_is_small_and_shown(page: str):
    assert 10_000 < PICTURE.stat().st_size < MOST_BYTES
    assert PICTURE.name in (PICTURE.parents[2] / page).read_text()
