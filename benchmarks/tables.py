"""Figures as a table for people, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from benchmarks.figures import Figure

_COLUMNS = ("part", "figure", "median", "min", "max", "unit", "n", "aim", "met")


def cells(figure: Figure) -> tuple[str, ...]:
    """A figure as the row of a table; one value needs no minimum and maximum."""
    low, high = ("", "") if len(figure.values) == 1 else map(_number, _extremes(figure))
    aim = "" if figure.aim is None else f"{figure.aim.sense} {figure.aim.limit:g}"
    met = {None: "", True: "yes", False: "no"}[figure.meets_aim]
    count = str(len(figure.values))
    return (
        figure.part, figure.what, _number(figure.median), low, high, figure.unit, count, aim, met
    )  # fmt: skip


def _extremes(figure: Figure) -> tuple[float, float]:
    return min(figure.values), max(figure.values)


def _number(value: float) -> str:
    """Three places under 10, one under 1000, as people read them."""
    if abs(value) < 10:
        return f"{value:.3f}"
    return f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"


def as_table(figures: Sequence[Figure], machine: str) -> Table:
    """For the terminal."""
    table = Table(caption=machine)
    for column in _COLUMNS:
        table.add_column(column, justify="right" if column in ("median", "min", "max") else "left")
    for i, figure in enumerate(figures):
        last = i + 1 == len(figures) or figures[i + 1].part != figure.part
        table.add_row(*cells(figure), end_section=last)
    return table


def as_markdown(figures: Sequence[Figure], machine: str) -> str:
    """For a document."""
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *map(cells, figures)]
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", machine, ""])


def as_json(figures: Sequence[Figure], machine: str) -> str:
    """For programs: every value of every figure."""
    rows = [asdict(figure) | {"median": figure.median} for figure in figures]
    return json.dumps({"machine": machine, "figures": rows}, indent=1)
