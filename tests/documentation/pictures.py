"""The picture in docs/, taken of a real station's review page: `make docs`."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from tests.listener.review.page_station import Station, station_with_page
from tests.rigs.browser import Watched, chromium
from tests.shared import ROOT

PICTURE = ROOT / "docs" / "pictures" / "review.png"
SIZE = {"width": 1000, "height": 720}
_STEP = 8  # of each colour, of 256: nobody sees it, and half of the bytes go


def take_picture(station: Station, path: Path) -> None:
    """The review page with the clip of a smoke alarm, as a PNG."""
    with chromium() as browser:
        watched = Watched(browser, viewport=SIZE)
        watched.page.goto(station.address)
        watched.page.locator("#clips").get_by_text("Smoke alarm").first.click()
        expect(watched.page.locator("#clip-title")).to_contain_text("Smoke alarm")
        expect(watched.page.locator("#legend span").first).to_be_visible()
        taken = watched.page.screenshot()
        watched.context.close()
    if watched.complaints:
        raise ValueError(f"the page complained: {watched.complaints}")
    picture = Image.open(io.BytesIO(taken)).convert("RGB")
    picture.point(lambda value: min(255, round(value / _STEP) * _STEP)).save(path, optimize=True)


if __name__ == "__main__":
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="earshot-") as directory,
        station_with_page(Path(directory)) as running,
    ):
        take_picture(running, PICTURE)
