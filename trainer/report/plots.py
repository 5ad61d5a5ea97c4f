"""Matplotlib without its global state: figures of our own, drawn by Agg."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from listener.detection.policy import LabelPolicy
from trainer.evaluation.clip_metrics import PrecisionRecall, ReliabilityBin
from trainer.evaluation.examples import ExampleView
from trainer.evaluation.scored_clips import SEEN_NOISE, UNSEEN_NOISE, ConditionResult

WIDTH_INCHES = 7.0  # as wide as the page, so that text in pictures is about as large as beside them
_DOTS_PER_INCH = 120
_COLOURS = 10  # in matplotlib's cycle; then the lines are dashed, dotted, both
_LINES = ("-", "--", ":", "-.")
_MOST_WITH_NUMBERS = 15  # labels; of more the numbers would not be read
_MOST_WITH_NAMES = 60
MOST_LABELS = 10  # the highest mean scores
_INCHES_A_LABEL = 0.28


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


# The confusion matrix: what was, what it was taken for.


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


# Waveform, log-mel and class scores of one clip on one time axis.


def draw_example(shown: ExampleView, labels: Sequence[str]) -> Figure:
    """`labels` are the columns of the scores."""
    figure = new_figure(6.0)
    waveform, log_mel, scores = figure.subplots(3, sharex=True, height_ratios=(2, 3, 3))
    _draw_waveform(waveform, shown)
    _draw_log_mel(log_mel, shown)
    _draw_scores(scores, shown, labels)
    scores.set_xlim(0.0, shown.seconds)
    scores.set_xlabel("time, s")
    return figure


def _draw_waveform(axes: Axes, shown: ExampleView) -> None:
    times = np.arange(len(shown.samples)) / shown.features.sample_rate_hz
    axes.plot(times, shown.samples, linewidth=0.5)
    axes.set_ylabel("waveform")
    for span in shown.example.clip.spans:
        axes.axvspan(span.onset, span.offset, color="C2", alpha=0.2)


def _draw_log_mel(axes: Axes, shown: ExampleView) -> None:
    frames, bands = shown.log_mel.shape
    seconds = frames * shown.features.stft_hop_seconds
    axes.imshow(
        shown.log_mel.T, aspect="auto", origin="lower", extent=(0.0, seconds, 0.0, float(bands))
    )
    axes.set_ylabel("mel band")


def _draw_scores(axes: Axes, shown: ExampleView, labels: Sequence[str]) -> None:
    highest = np.argsort(-shown.file.scores.mean(axis=0))[:MOST_LABELS]
    rows = np.arange(len(highest) + 1, dtype=np.float64)
    axes.pcolormesh(
        shown.file.boundaries, rows, shown.file.scores[:, highest].T, vmin=0, vmax=1, cmap="gray_r"
    )
    axes.set_yticks(rows[:-1] + 0.5, [labels[k] for k in highest], fontsize="small")
    axes.invert_yaxis()


# Loss and accuracy, epoch by epoch.


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


# How the figure falls as noise rises: of a kind that training uses, and of one that it never does.


_KINDS = ((SEEN_NOISE, "seen in training"), (UNSEEN_NOISE, "never seen"))


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


# Where each label's policy opens and closes events.


def draw_policies(policies: Mapping[str, LabelPolicy]) -> Figure:
    """A bar from off_threshold to on_threshold for each label."""
    figure, axes = one_axes(1.2 + _INCHES_A_LABEL * len(policies), "Thresholds")
    rows = np.arange(len(policies))
    on = np.array([policy.on_threshold for policy in policies.values()])
    off = np.array([policy.off_threshold for policy in policies.values()])
    axes.barh(rows, on - off, left=off, height=0.4, color="C0", alpha=0.4)
    axes.plot(on, rows, "o", color="C3", label="opens")
    axes.plot(off, rows, "o", color="C0", label="closes")
    axes.set_yticks(rows, list(policies), fontsize="small")
    axes.set(xlabel="smoothed score", xlim=(0.0, 1.02))
    axes.invert_yaxis()
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    return figure


# Precision over recall for each label, the policy's own threshold marked.


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


# The reliability diagram: whether of scores of 0.8, 80 % are right.


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
