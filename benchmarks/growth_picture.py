"""A picture of how cost grows: small multiples, one a series, from the figures of `growth`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure
from benchmarks.growth import SERIES, Series, cost_name, ratio_name
from benchmarks.station_size import StationSize

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STATION, _ENGINE, _PROPORTION = "#1f5fa8", "#7a7a7a", "#c0571b"
_SIZE_INCHES, _DOTS_PER_INCH = (11.0, 3.9), 110


def draw_growth(figures: Sequence[Figure], path: Path) -> None:
    """Write a PNG: the share of one core that whole stations use, both axes logarithmic.

    Raises:
        KeyError: a size of the series is not among the figures.
    """
    import matplotlib as mpl  # noqa: PLC0415  # for this one picture

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    medians = {figure.what: figure.median for figure in figures}
    canvas, panels = pyplot.subplots(
        1, len(SERIES), figsize=_SIZE_INCHES, sharey=True, layout="constrained"
    )
    for panel, series in zip(panels, SERIES, strict=True):
        _draw(panel, series, medians)
    panels[0].set_ylabel("use of one core, %")
    panels[0].legend(frameon=False, fontsize=9)
    canvas.savefig(path, dpi=_DOTS_PER_INCH)
    pyplot.close(canvas)


def _draw(panel: Axes, series: Series, medians: dict[str, float]) -> None:
    station = [_percent(size, medians) for size in series.sizes]
    engine = [
        percent / medians[ratio_name(size)]
        for percent, size in zip(station, series.sizes, strict=True)
    ]
    proportion = [station[0] * amount / series.amounts[0] for amount in series.amounts]
    panel.loglog(series.amounts, proportion, "--", color=_PROPORTION, label="in proportion")
    panel.loglog(series.amounts, station, "o-", color=_STATION, label="station")
    panel.loglog(series.amounts, engine, "s-", color=_ENGINE, ms=4, label="bare engine")
    for amount, percent in zip(series.amounts, station, strict=True):
        panel.annotate(
            f"{percent:.3g} %",
            (amount, percent),
            (0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=_STATION,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
    panel.set_xticks(series.amounts, [f"{amount:.3g}" for amount in series.amounts])
    panel.yaxis.set_major_formatter("{x:g}")
    panel.minorticks_off()
    panel.set_xlabel(series.over)
    panel.set_title(_what_stays(series), fontsize=10)
    panel.grid(visible=True, alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
    panel.margins(x=0.1, y=0.12)


def _percent(size: StationSize, medians: dict[str, float]) -> float:
    """Of one core, by all sources: 1000 core-ms a second are 100 %."""
    return medians[cost_name(size)] * size.sources / 10


def _what_stays(series: Series) -> str:
    """What the sizes have in common, in words."""
    first, last = series.sizes[0], series.sizes[-1]
    sources = f"{first.sources} sources" if first.sources == last.sources else None
    labels = f"{first.labels} labels" if first.labels == last.labels else None
    hop = f"patch hop {first.hop_seconds:g} s" if first.hop_seconds == last.hop_seconds else None
    return ", ".join(part for part in (sources, labels, hop) if part is not None)
