"""What a terminal can show, and the two small pictures of the commands: a level and a line of scores."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

BAR_FLOOR_DBFS = -80.0
_LOUD_DBFS = -12.0
_BLOCKS = "▁▂▃▄▅▆▇█"


def can_draw(console: Console) -> bool:
    """Whether a picture can be drawn over the one before, with characters that are no ASCII."""
    moves = console.is_terminal and not console.is_dumb_terminal
    return moves and not console.options.ascii_only


def level_bar(level_dbfs: float, cells: int, *, clipping: bool = False) -> Text:
    """A level as a bar of so many cells, from BAR_FLOOR_DBFS to full scale."""
    share = 1 - min(max(level_dbfs, BAR_FLOOR_DBFS), 0.0) / BAR_FLOOR_DBFS
    filled = round(share * cells)
    style = "bold red" if clipping else "yellow" if level_dbfs > _LOUD_DBFS else "green"
    return Text.assemble(("█" * filled, style), ("·" * (cells - filled), "dim"))


def sparkline(scores: Iterable[float | None]) -> str:
    """Scores in [0, 1], a character each; a space where there is none."""
    return "".join(" " if score is None else _block(score) for score in scores)


def _block(score: float) -> str:
    return _BLOCKS[min(int(score * len(_BLOCKS)), len(_BLOCKS) - 1)]
