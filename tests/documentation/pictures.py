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
_COLOURS = 128  # enough for the page and its spectrogram, and a third of the bytes


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
    Image.open(io.BytesIO(taken)).quantize(_COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="earshot-") as directory,
        station_with_page(Path(directory)) as running,
    ):
        take_picture(running, PICTURE)
