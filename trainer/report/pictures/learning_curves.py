"""Loss and accuracy, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.report.pictures.canvas import new_figure

Curve = Sequence[Mapping[str, Any]]  # epochs as in a bundle's provenance

_TRAINED, _VALIDATED = "-", "--"


def draw_learning_curves(curves: Sequence[Curve]) -> Figure:
    """A colour for each training; full lines are of what it learnt from, dashed ones of validation."""
    figure = new_figure(3.6)
    losses, accuracies = figure.subplots(1, 2)
    for number, curve in enumerate(curves):
        name = f"training {number + 1}"
        _draw(losses, curve, "loss", f"C{number % 10}", _TRAINED, name)
        _draw(
            losses, curve, "validation_loss", f"C{number % 10}", _VALIDATED, f"{name}, validation"
        )
        _draw(accuracies, curve, "accuracy", f"C{number % 10}", _VALIDATED, name)
    losses.set(xlabel="epoch", ylabel="loss")
    losses.legend(fontsize="small", frameon=False)
    accuracies.set(xlabel="epoch", ylabel="accuracy of validation clips")
    return figure


def _draw(axes: Axes, curve: Curve, key: str, colour: str, line: str, name: str) -> None:
    points = [(epoch["number"], epoch[key]) for epoch in curve if epoch[key] is not None]
    if points:
        axes.plot(*zip(*points, strict=True), color=colour, linestyle=line, marker=".", label=name)
