"""The confusion matrix: what was, what it was taken for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from trainer.report.pictures.canvas import WIDTH_INCHES, one_axes

_MOST_WITH_NUMBERS = 15  # labels; of more the numbers would not be read
_MOST_WITH_NAMES = 60


def draw_confusion(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> Figure:
    """Counts of clips, rows what they are; a cell's shade is its share of the row."""
    counts = np.array(confusion, np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    figure, axes = one_axes(WIDTH_INCHES * 0.9, "Clips of one label")
    axes.imshow(shares, vmin=0.0, vmax=1.0, cmap="Blues")
    axes.set_ylabel("what it is")
    axes.set_xlabel("highest score")
    if len(labels) <= _MOST_WITH_NAMES:
        axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize="small")
        axes.set_yticks(range(len(labels)), labels, fontsize="small")
    if len(labels) <= _MOST_WITH_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"  # noqa: PLR2004 - half the shade
            axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour)
    return figure
