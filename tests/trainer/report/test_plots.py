"""What the pictures show is what was measured."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from tests.trainer.conftest import CURVES
from tests.trainer.training.tones import tone
from trainer.data.clips import Clip
from trainer.evaluation.clip_metrics import PrecisionRecall, ReliabilityBin
from trainer.evaluation.examples import Example, ExampleView, join_patches
from trainer.evaluation.scored_clips import ConditionResult
from trainer.evaluation.scored_file import ScoredFile
from trainer.report.plots import (
    draw_bandwidth_curve,
    draw_confusion,
    draw_example,
    draw_learning_curves,
    draw_noise_curves,
    draw_policies,
    draw_precision_recall,
    draw_reliability,
    one_axes,
    to_png,
)

PARAMS = FeatureParams()


def xs(line: Line2D) -> list[float]:
    return [float(x) for x in np.asarray(line.get_xdata())]


def ys(line: Line2D) -> list[float]:
    return [float(y) for y in np.asarray(line.get_ydata())]


def test_the_confusion_matrix_holds_the_counts():
    counts = [[7, 1], [0, 4]]
    (axes,) = draw_confusion(counts, ["cat", "dog"]).axes
    assert [text.get_text() for text in axes.texts] == ["7", "1", "0", "4"]
    shares = np.asarray(axes.images[0].get_array())
    assert shares.tolist() == [[7 / 8, 1 / 8], [0.0, 1.0]]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["cat", "dog"]


def test_many_labels_have_a_matrix_without_numbers():
    counts = np.eye(70, dtype=int).tolist()
    (axes,) = draw_confusion(counts, [f"label {k}" for k in range(70)]).axes
    assert np.asarray(axes.images[0].get_array()).shape == (70, 70)
    assert len(axes.texts) == 0


def test_the_policy_is_marked_on_its_curve():
    curve = PrecisionRecall("dog", (1.0, 0.5), (0.5, 1.0), 0.6, 0.75, 0.8)
    silent = PrecisionRecall("cat", (1.0,), (1.0,), 0.9, None, 0.0)
    (axes,) = draw_precision_recall([curve, silent]).axes
    line, dot, other = axes.lines
    assert xs(line) == [0.0, 0.5, 1.0]
    assert ys(line) == [1.0, 1.0, 0.5]
    assert (xs(dot), ys(dot)) == ([0.8], [0.75])
    assert other.get_label() == "cat"


def test_noise_curves_are_of_noise_seen_and_never_seen():
    results = [
        ConditionResult("clean", None, 0.9, 0.8, 0.7),
        ConditionResult("pink noise", 10.0, 0.8, 0.7, 0.6),
        ConditionResult("pink noise", 0.0, 0.6, 0.5, 0.4),
        ConditionResult("blue noise", 0.0, None, 0.3, 0.2),
        ConditionResult("gain", 10.0, 0.9, 0.8, 0.7),
    ]
    (axes,) = draw_noise_curves(results).axes
    pink, blue, clean = axes.lines
    assert xs(pink) == [10.0, 0.0]
    assert ys(pink) == [0.8, 0.6]
    assert ys(blue) == [0.3]  # F1, for want of accuracy
    assert set(ys(clean)) == {0.9}
    assert axes.xaxis_inverted()


def test_the_bandwidth_curve_falls_from_the_full_band_on_the_left():
    results = [
        ConditionResult("clean", None, 0.9, 0.8, 0.7),
        ConditionResult("gain", 10.0, 0.9, 0.8, 0.7),
        ConditionResult("low-pass", 4000.0, 0.6, 0.5, 0.4),
        ConditionResult("low-pass", 2700.0, 0.4, 0.5, 0.4),
    ]
    (axes,) = draw_bandwidth_curve(results, 7500.0).axes
    (curve,) = axes.lines
    assert (xs(curve), ys(curve)) == ([7500.0, 4000.0, 2700.0], [0.9, 0.6, 0.4])
    assert axes.xaxis_inverted()


def test_learning_curves_of_every_training():
    losses, accuracies = draw_learning_curves(CURVES).axes
    assert [ys(line) for line in losses.lines] == [[0.9, 0.4], [0.8, 0.6], [0.7]]
    assert [ys(line) for line in accuracies.lines] == [[0.5, 1.0]]


def test_policies_open_and_close():
    policies = {"dog": LabelPolicy(0.8, 0.3), "cat": LabelPolicy(0.6, 0.6)}
    (axes,) = draw_policies(policies).axes
    on, off = axes.lines
    assert (xs(on), xs(off)) == ([0.8, 0.6], [0.3, 0.6])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["dog", "cat"]


def test_reliability_is_that_of_the_bins():
    bins = [ReliabilityBin(4, 0.2, 0.5), ReliabilityBin(6, 0.9, 1.0)]
    right, counts = draw_reliability(bins).axes
    assert xs(right.lines[1]) == [0.2, 0.9]
    assert ys(right.lines[1]) == [0.5, 1.0]
    assert [bar.get_height() for bar in counts.patches if isinstance(bar, Rectangle)] == [4, 6]


@pytest.fixture
def shown() -> ExampleView:
    """Two seconds of a tone, of which the second label is sure."""
    samples = tone(500.0, 0.5, 2.0)
    scores = np.tile(np.array([0.1, 0.9], np.float32), (4, 1))
    file = ScoredFile("x", scores, np.linspace(0.0, 2.0, 5))
    clip = Clip(Path("x.wav"), frozenset({"dog"}), "x", 1)
    example = Example(clip, "dog", 0.9)
    return ExampleView(example, samples, join_patches(samples, PARAMS), file, PARAMS)


def test_waveform_log_mel_and_scores_share_their_time(shown: ExampleView):
    waveform, log_mel, scores = draw_example(shown, ["cat", "dog"]).axes
    assert waveform.get_xlim() == log_mel.get_xlim() == scores.get_xlim() == (0.0, 2.0)
    assert xs(waveform.lines[0])[-1] == pytest.approx(2.0, abs=1e-3)
    np.testing.assert_array_equal(waveform.lines[0].get_ydata(), shown.samples)
    np.testing.assert_array_equal(log_mel.images[0].get_array(), shown.log_mel.T)
    assert log_mel.images[0].get_extent()[1] == pytest.approx(len(shown.log_mel) * 0.01)
    assert [text.get_text() for text in scores.get_yticklabels()] == ["dog", "cat"]
    drawn = np.asarray(scores.collections[0].get_array())
    np.testing.assert_allclose(drawn[:, 0], [0.9, 0.1], rtol=1e-6)


def test_a_picture_is_a_png_and_the_same_each_time():
    first, second = (to_png(one_axes(2.0, "Title")[0]) for _ in range(2))
    assert first == second
    image = Image.open(io.BytesIO(first))
    image.load()
    assert (image.format, image.info.get("Software")) == ("PNG", None)
