"""Precision over recall for each label, the policy's own threshold marked."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from trainer.evaluation.clip_metrics import PrecisionRecall
from trainer.report.pictures.canvas import legend_beside, line_styles, one_axes


def draw_precision_recall(curves: Sequence[PrecisionRecall]) -> Figure:
    """A dot stands where the policy opens events; there is none where it opens none."""
    figure, axes = one_axes(4.2, "Events in clips, by threshold")
    for curve, style in zip(curves, line_styles(), strict=False):
        recalls, precisions = (0.0, *curve.recalls), (curve.precisions[0], *curve.precisions)
        axes.plot(recalls, precisions, color=style.colour, linestyle=style.line, label=curve.label)
        if curve.precision is not None and curve.recall is not None:
            axes.plot(curve.recall, curve.precision, marker="o", color=style.colour)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0.0, 1.02), ylim=(0.0, 1.02))
    legend_beside(axes, [curve.label for curve in curves])
    return figure
