"""Matplotlib without its global state: figures of our own, drawn by Agg."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

WIDTH_INCHES = 7.0  # as wide as the page, so that text in pictures is about as large as beside them
_DOTS_PER_INCH = 120
_COLOURS = 10  # in matplotlib's cycle; then the lines are dashed, dotted, both
_LINES = ("-", "--", ":", "-.")


@dataclass(frozen=True, slots=True)
class LineStyle:
    """A colour and a pattern, as matplotlib names them."""

    colour: str
    line: str


def new_figure(height_inches: float) -> Figure:
    """An empty figure, its parts laid out so that no text is cut."""
    return Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained", dpi=_DOTS_PER_INCH)


def one_axes(height_inches: float, title: str) -> tuple[Figure, Axes]:
    """A figure with a single graph."""
    figure = new_figure(height_inches)
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def line_styles() -> Iterator[LineStyle]:
    """Forty that differ, then again from the first."""
    while True:
        for line in _LINES:
            for number in range(_COLOURS):
                yield LineStyle(f"C{number}", line)


def legend_beside(axes: Axes, names: Sequence[str]) -> None:
    """Names right of the graph, if they are few enough to be told apart."""
    if 0 < len(names) <= _COLOURS * len(_LINES) // 2:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize="small", frameon=False)


def to_png(figure: Figure) -> bytes:
    """The picture's bytes, the same for the same figure."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    # without its one line of metadata, the version of matplotlib
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
