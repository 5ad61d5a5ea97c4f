"""How the figure falls as noise rises: of a kind that training uses, and of one that it never does."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from trainer.evaluation.scored_clips import SEEN_NOISE, UNSEEN_NOISE, ConditionResult
from trainer.report.pictures.canvas import one_axes

_KINDS = ((SEEN_NOISE[0], "seen in training"), (UNSEEN_NOISE[0], "never seen"))


def draw_noise_curves(results: Sequence[ConditionResult]) -> Figure:
    """Accuracy over the SNR; F1 where clips have several labels."""
    figure, axes = one_axes(3.6, "In noise")
    for name, known in _KINDS:
        points = [(each.strength, figure_of(each)) for each in results if each.condition == name]
        axes.plot(*zip(*points, strict=True), marker="o", label=f"{name}, {known}")
    clean = [figure_of(each) for each in results if each.condition == "clean"]
    for value in filter(None, clean):
        axes.axhline(value, color="gray", linestyle=":", label="clean")
    has_accuracy = any(each.accuracy is not None for each in results)
    axes.set(xlabel="SNR, dB", ylabel="accuracy" if has_accuracy else "F1", ylim=(0.0, 1.02))
    axes.invert_xaxis()
    axes.legend(loc="lower left", frameon=False)
    return figure


def figure_of(result: ConditionResult) -> float | None:
    """Accuracy, or F1 where there is none."""
    return result.f1 if result.accuracy is None else result.accuracy
