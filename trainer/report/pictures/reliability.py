"""The reliability diagram: whether of scores of 0.8, 80 % are right."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from trainer.evaluation.clip_metrics import ReliabilityBin
from trainer.report.pictures.canvas import new_figure


def draw_reliability(bins: Sequence[ReliabilityBin]) -> Figure:
    """The share that is right over the score, and below it how many scores there are."""
    figure = new_figure(4.2)
    right, counts = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    scores = [each.mean_score for each in bins]
    right.plot((0.0, 1.0), (0.0, 1.0), color="gray", linestyle=":", label="as they should be")
    right.plot(scores, [each.right for each in bins], marker="o", label="as they are")
    right.set(ylabel="share that is right", ylim=(0.0, 1.02), title="Reliability of the scores")
    right.legend(frameon=False)
    counts.bar(scores, [each.count for each in bins], width=0.03)
    counts.set(xlabel="score", ylabel="scores", xlim=(0.0, 1.02))
    return figure
