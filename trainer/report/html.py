"""HTML by hand: text is escaped, pictures are inside the page, nothing is loaded."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from matplotlib.figure import Figure

from trainer.report.pictures.canvas import to_png


def paragraph(text: str) -> str:
    """Plain text."""
    return f"<p>{escape(text)}</p>\n"


def warning(text: str) -> str:
    """Plain text that must not be overlooked."""
    return f'<p class="warning">{escape(text)}</p>\n'


def bullets(lines: Iterable[str]) -> str:
    """Plain text, a point each."""
    return "<ul>\n" + "".join(f"<li>{escape(line)}</li>\n" for line in lines) + "</ul>\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Plain text; on a narrow screen the table scrolls by itself, not the page."""
    head = _row("th", heads)
    body = "".join(_row("td", row) for row in rows)
    return (
        f'<div class="wide"><table>\n<thead>{head}</thead>\n<tbody>{body}</tbody>\n</table></div>\n'
    )


def _row(cell: str, texts: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{cell}>{escape(text)}</{cell}>" for text in texts) + "</tr>\n"


def picture(figure: Figure, alt: str, caption: str) -> str:
    """The figure as PNG; `alt` says what it shows to who cannot see it."""
    data = base64.b64encode(to_png(figure)).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(alt)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>\n"
    )
