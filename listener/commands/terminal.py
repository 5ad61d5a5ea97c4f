"""Levels and scores drawn as characters in a terminal."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

_BAR_FLOOR_DBFS = -80.0
_LOUD_DBFS = -12.0
_BLOCKS = "▁▂▃▄▅▆▇█"


def can_draw(console: Console) -> bool:
    """Whether the console can redraw in place and show characters outside ASCII."""
    moves = console.is_terminal and not console.is_dumb_terminal
    return moves and not console.options.ascii_only


def level_bar(level_dbfs: float, cells: int, *, clipping: bool = False) -> Text:
    """A level as a bar of `cells` characters, from -80 dBFS to full scale."""
    share = 1 - min(max(level_dbfs, _BAR_FLOOR_DBFS), 0.0) / _BAR_FLOOR_DBFS
    filled = round(share * cells)
    style = "bold red" if clipping else "yellow" if level_dbfs > _LOUD_DBFS else "green"
    return Text.assemble(("█" * filled, style), ("·" * (cells - filled), "dim"))


def sparkline(scores: Iterable[float | None]) -> str:
    """One character per score in [0, 1]; a space for None."""
    top = len(_BLOCKS) - 1
    return "".join(
        " " if score is None else _BLOCKS[min(int(score * len(_BLOCKS)), top)] for score in scores
    )
