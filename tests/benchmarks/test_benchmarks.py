"""The arithmetic of the measurement; what it measures is no test's business."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time

import numpy as np
import pytest

from benchmarks.figures import Aim, Figure, percentile
from benchmarks.latency import last_sample_time
from benchmarks.process_clock import process_cpu_seconds
from benchmarks.tables import as_json, as_markdown, cells
from listener.detection.audio import AudioChunk
from listener.detection.features import Patch, PatchStream
from listener.detection.hysteresis import EventDetector
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.detection.scores import PatchScores, slot_of

PARAMS = FeatureParams()


def test_percentile_is_the_nearest_rank():
    values = [float(value) for value in range(1, 201)]
    assert [percentile(values, p) for p in (0.1, 50, 95, 99, 100)] == [1, 100, 190, 198, 200]
    assert percentile([7.0], 99) == 7


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], 0), ([1.0], 101)])
def test_percentile_of_nothing_is_an_error(values: list[float], percent: float):
    with pytest.raises(ValueError, match="expected values"):
        percentile(values, percent)


def test_a_figure_is_judged_by_its_median():
    figure = Figure("cost", "x", "ms", (9.0, 1.0, 2.0), Aim("at most", 2.0))
    assert (figure.median, figure.meets_aim) == (2.0, True)
    assert dataclasses.replace(figure, aim=Aim("at least", 2.5)).meets_aim is False
    assert dataclasses.replace(figure, aim=None).meets_aim is None


def test_a_figure_without_values_is_an_error():
    with pytest.raises(ValueError, match="at least one value"):
        Figure("cost", "x", "ms", ())


def test_a_row_holds_median_min_max_and_the_aim():
    figure = Figure("cost", "station", "x", (3.0, 1.0, 20.0), Aim("at most", 1.5))
    assert cells(figure) == (
        *("cost", "station", "3.000", "1.000", "20.0", "x", "3", "at most 1.5", "no"),
    )
    assert cells(Figure("memory", "RSS", "MB", (1234.5,)))[2:5] == ("1234", "", "")


def test_markdown_has_a_line_a_figure():
    lines = as_markdown([Figure("cost", "station", "x", (3.0,))], "a machine").splitlines()
    assert lines[2:] == ["| cost | station | 3.000 |  |  | x | 1 |  |  |", "", "a machine"]


def test_json_holds_every_value():
    document = json.loads(as_json([Figure("cost", "station", "x", (3.0, 4.0))], "a machine"))
    assert document["machine"] == "a machine"
    assert document["figures"][0]["values"] == [3.0, 4.0]
    assert document["figures"][0]["median"] == 3.5


@pytest.mark.parametrize("smoothing_seconds", [0.48, 1.44, 2.4])
def test_last_sample_time_is_that_of_the_patch_with_which_the_detector_decides(
    smoothing_seconds: float,
):
    policy = LabelPolicy(on_threshold=0.5, off_threshold=0.5, smoothing_seconds=smoothing_seconds)
    detector = EventDetector("hall", {"tone": policy}, PARAMS.patch_hop_seconds)
    decided = [
        (event.onset, patch.captured_at + 0.975)
        for i, patch in enumerate(_patches(20))
        for event in detector.push(_row(patch, first=i == 0, tone=i >= 10))
    ]
    [(onset, last_sample)] = decided
    assert last_sample_time(onset, PARAMS, smoothing_seconds) == pytest.approx(last_sample)


def test_last_sample_time_at_the_defaults():
    assert last_sample_time(1000.0, PARAMS, 1.44) == pytest.approx(1001.2075)


def test_process_clock_is_the_one_of_the_process():
    before = time.process_time()
    seconds = process_cpu_seconds(os.getpid())
    assert before <= seconds <= time.process_time()


def test_process_clock_of_no_process_is_an_error():
    with subprocess.Popen(["true"]) as ended:
        pass
    with pytest.raises(OSError, match="no CPU clock"):
        process_cpu_seconds(ended.pid)


def _patches(count: int) -> list[Patch]:
    samples = PARAMS.window_samples + (count - 1) * PARAMS.patch_hop_samples
    silence = np.zeros(samples, np.float32)
    return PatchStream(PARAMS).push(AudioChunk("hall", 0, 5000.0, PARAMS.sample_rate_hz, silence))


def _row(patch: Patch, *, first: bool, tone: bool) -> PatchScores:
    onset, offset = slot_of(patch, PARAMS, first=first)
    return PatchScores("hall", onset, offset, np.array([tone], np.float32))
