"""The report's pictures: matplotlib without its global state, drawn by Agg."""

import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from listener.detection.policy import LabelPolicy
from trainer.evaluation import clip_metrics, examples
from trainer.evaluation.scored_clips import BAND_LIMITED, SEEN_NOISE, UNSEEN_NOISE, ConditionResult

WIDTH_INCHES = 7.0  # as wide as the page, so that text in pictures is about as large as beside them
_DOTS_PER_INCH = 120
_INCHES_A_LABEL = 0.28
_COLOURS = 10  # in matplotlib's cycle; then the lines are dashed, dotted, both
_LINES = ("-", "--", ":", "-.")
_MOST_WITH_NUMBERS = 15  # labels of a confusion matrix; with more the numbers are too small to read
_MOST_WITH_NAMES = 60
MOST_LABELS = 10  # of an example's scores: those with the highest mean


def new_figure(height_inches: float) -> Figure:
    """An empty figure, laid out so that no text is cut."""
    return Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained", dpi=_DOTS_PER_INCH)


def one_axes(height_inches: float, title: str) -> tuple[Figure, Axes]:
    """A figure with a single graph."""
    figure = new_figure(height_inches)
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def to_png(figure: Figure) -> bytes:
    """The picture's bytes, the same for the same figure."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    # without its one line of metadata, the version of matplotlib
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


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


def draw_example(shown: examples.ExampleView, labels: Sequence[str]) -> Figure:
    """Waveform, log-mel and scores of a clip on one time axis; `labels` are the scores' columns."""
    figure = new_figure(6.0)
    waveform, log_mel, scores = figure.subplots(3, sharex=True, height_ratios=(2, 3, 3))
    times = np.arange(len(shown.samples)) / shown.features.sample_rate_hz
    waveform.plot(times, shown.samples, linewidth=0.5)
    waveform.set_ylabel("waveform")
    for span in shown.example.clip.spans:
        waveform.axvspan(span.onset, span.offset, color="C2", alpha=0.2)
    frames, bands = shown.log_mel.shape
    extent = (0.0, frames * shown.features.stft_hop_seconds, 0.0, float(bands))
    log_mel.imshow(shown.log_mel.T, aspect="auto", origin="lower", extent=extent)
    log_mel.set_ylabel("mel band")
    highest = np.argsort(-shown.file.scores.mean(axis=0))[:MOST_LABELS]
    rows = np.arange(len(highest) + 1, dtype=np.float64)
    values = shown.file.scores[:, highest].T
    scores.pcolormesh(shown.file.boundaries, rows, values, vmin=0, vmax=1, cmap="gray_r")
    scores.set_yticks(rows[:-1] + 0.5, [labels[k] for k in highest], fontsize="small")
    scores.invert_yaxis()
    scores.set_xlim(0.0, shown.seconds)
    scores.set_xlabel("time, s")
    return figure


def draw_learning_curves(curves: Sequence[Sequence[Mapping[str, Any]]]) -> Figure:
    """A colour for each training, epochs as in the provenance; dashed lines are of validation."""
    figure = new_figure(3.6)
    losses, accuracies = figure.subplots(1, 2)
    for number, curve in enumerate(curves):
        name, colour = f"training {number + 1}", f"C{number % _COLOURS}"
        for axes, key, line, label in (
            (losses, "loss", "-", name),
            (losses, "validation_loss", "--", f"{name}, validation"),
            (accuracies, "accuracy", "--", name),
        ):
            points = [(epoch["number"], epoch[key]) for epoch in curve if epoch[key] is not None]
            if points:
                x, y = zip(*points, strict=True)
                axes.plot(x, y, color=colour, linestyle=line, marker=".", label=label)
    losses.set(xlabel="epoch", ylabel="loss")
    losses.legend(fontsize="small", frameon=False)
    accuracies.set(xlabel="epoch", ylabel="accuracy of validation clips")
    return figure


def draw_noise_curves(results: Sequence[ConditionResult]) -> Figure:
    """Accuracy over the SNR, in noise that training uses and in noise that it never does.

    F1 where clips have several labels.
    """
    figure, axes = one_axes(3.6, "In noise")
    for name, known in ((SEEN_NOISE, "seen in training"), (UNSEEN_NOISE, "never seen")):
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


def draw_bandwidth_curve(results: Sequence[ConditionResult], full_hz: float) -> Figure:
    """Accuracy over the frequency above which clips have nothing; clean ones are at `full_hz`.

    F1 where clips have several labels.
    """
    figure, axes = one_axes(2.8, "With less bandwidth")
    limits = [
        (each.strength, figure_of(each)) for each in results if each.condition == BAND_LIMITED
    ]
    clean = [(full_hz, figure_of(each)) for each in results if each.condition == "clean"]
    axes.plot(*zip(*clean, *limits, strict=True), marker="o")
    has_accuracy = any(each.accuracy is not None for each in results)
    axes.set(
        xlabel="nothing above, Hz", ylabel="accuracy" if has_accuracy else "F1", ylim=(0.0, 1.02)
    )
    axes.invert_xaxis()
    return figure


def figure_of(result: ConditionResult) -> float | None:
    """Accuracy, or F1 where there is none."""
    return result.f1 if result.accuracy is None else result.accuracy


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


def draw_precision_recall(curves: Sequence[clip_metrics.PrecisionRecall]) -> Figure:
    """A line for each label; a dot where the policy opens events, none where it opens none."""
    figure, axes = one_axes(4.2, "Events in clips, by threshold")
    styles = cycle((f"C{number}", line) for line in _LINES for number in range(_COLOURS))
    for curve, (colour, line) in zip(curves, styles, strict=False):
        recalls, precisions = (0.0, *curve.recalls), (curve.precisions[0], *curve.precisions)
        axes.plot(recalls, precisions, color=colour, linestyle=line, label=curve.label)
        if curve.precision is not None and curve.recall is not None:
            axes.plot(curve.recall, curve.precision, marker="o", color=colour)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0.0, 1.02), ylim=(0.0, 1.02))
    if 0 < len(curves) <= _COLOURS * len(_LINES) // 2:  # few enough to tell apart
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize="small", frameon=False)
    return figure


def draw_reliability(bins: Sequence[clip_metrics.ReliabilityBin]) -> Figure:
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
