"""A page as a browser reads it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from html.parser import HTMLParser

from PIL import Image

VOID = {"meta", "img", "br", "hr", "link", "input"}
PNG = "data:image/png;base64,"


@dataclass
class Picture:
    alt: str
    image: Image.Image


@dataclass
class Page(HTMLParser):
    """Its tags, pictures and text; a tag that is closed twice or never fails."""

    pictures: list[Picture] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.links += [named[name] for name in ("src", "href", "srcset") if name in named]
        if tag == "img":
            self.pictures.append(_picture(named["src"], named["alt"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def _picture(source: str, alt: str) -> Picture:
    content = base64.b64decode(source.removeprefix(PNG), validate=True)
    image = Image.open(io.BytesIO(content))
    image.load()
    return Picture(alt, image)


def parse(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page
