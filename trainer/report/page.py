"""The report: one HTML page, section by section."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from listener.detection.bundle import Manifest
from trainer.evaluation.evaluate import Evaluation
from trainer.report.shown import Shown
from trainer.report.summary import Occasion


@dataclass(frozen=True, slots=True)
class Matter:
    """All that a report is made of."""

    manifest: Manifest
    evaluation: Evaluation
    occasion: Occasion
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what makes the HTML below it; empty HTML: there is nothing to say."""

    heading: str
    make: Callable[[Matter], str]


_STYLE = """\
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 0 auto; padding: 1rem; color: #222; }
h1, h2 { line-height: 1.2; }
img { max-width: 100%; height: auto; }
figure { margin: 1.5rem 0; }
figcaption { color: #555; font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd; }
.warning { border-left: .3rem solid #b00; padding-left: .8rem; }
"""


def make_page(matter: Matter, sections: tuple[Section, ...]) -> str:
    """The page as HTML 5: no script, and nothing from elsewhere."""
    title = escape(f"{matter.evaluation.bundle}: evaluation")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        + "".join(_section(section, matter) for section in sections)
        + "</body>\n</html>\n"
    )


def _section(section: Section, matter: Matter) -> str:
    content = section.make(matter)
    heading = escape(section.heading)
    return f"<section>\n<h2>{heading}</h2>\n{content}</section>\n" if content else ""
