"""Waveform, log-mel and class scores of one clip on one time axis.

The three graphs of the TensorFlow tutorial on YAMNet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.report.pictures.canvas import new_figure
from trainer.report.shown import Shown

MOST_LABELS = 10  # the highest mean scores


def draw_example(shown: Shown, labels: Sequence[str]) -> Figure:
    """`labels` are the columns of the scores."""
    figure = new_figure(6.0)
    waveform, log_mel, scores = figure.subplots(3, sharex=True, height_ratios=(2, 3, 3))
    _draw_waveform(waveform, shown)
    _draw_log_mel(log_mel, shown)
    _draw_scores(scores, shown, labels)
    scores.set_xlim(0.0, shown.seconds)
    scores.set_xlabel("time, s")
    return figure


def _draw_waveform(axes: Axes, shown: Shown) -> None:
    times = np.arange(len(shown.samples)) / shown.features.sample_rate_hz
    axes.plot(times, shown.samples, linewidth=0.5)
    axes.set_ylabel("waveform")
    for span in shown.example.clip.spans:
        axes.axvspan(span.onset, span.offset, color="C2", alpha=0.2)


def _draw_log_mel(axes: Axes, shown: Shown) -> None:
    frames, bands = shown.log_mel.shape
    seconds = frames * shown.features.stft_hop_seconds
    axes.imshow(
        shown.log_mel.T, aspect="auto", origin="lower", extent=(0.0, seconds, 0.0, float(bands))
    )
    axes.set_ylabel("mel band")


def _draw_scores(axes: Axes, shown: Shown, labels: Sequence[str]) -> None:
    highest = np.argsort(-shown.file.scores.mean(axis=0))[:MOST_LABELS]
    rows = np.arange(len(highest) + 1, dtype=np.float64)
    axes.pcolormesh(
        shown.file.boundaries, rows, shown.file.scores[:, highest].T, vmin=0, vmax=1, cmap="gray_r"
    )
    axes.set_yticks(rows[:-1] + 0.5, [labels[k] for k in highest], fontsize="small")
    axes.invert_yaxis()
