"""The measured run goes through the real pipeline, as fast as it goes."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.commands.load_test import Load, measure_load
from listener.config.engine import EngineSettings
from listener.detection.labels import LabelColumns
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.pipeline.plan import DetectionPlan
from tests.doubles import LABELS, LoudnessEngine, Outputs

PLAN = DetectionPlan(
    FeatureParams(),
    {label: LabelPolicy(0.9, 0.5) for label in LABELS},
    LabelColumns.of([[0], [1]]),
    "loudness@1",
    "bench",
)


class SlowEngine(LoudnessEngine):
    """Takes 10 ms a patch."""

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        time.sleep(0.01 * len(patches))
        return super().infer(patches)


def test_a_load_is_audio_by_time():
    load = Load(audio_seconds=96.0, wall_seconds=2.0, processor_seconds=0.24)
    assert (load.sources, load.core_ms_per_second) == (48.0, 2.5)


def test_every_patch_of_every_source_counts_once():
    engine = LoudnessEngine()
    load = measure_load(engine, PLAN, EngineSettings(max_batch=4), 3, 0.2)
    warm_up, *batches = engine.batches
    assert warm_up == 3  # no batch is larger than the number of sources
    assert max(batches) <= 4
    assert load.audio_seconds == pytest.approx(0.48 * sum(batches))
    assert sum(batches) >= 3
    assert load.wall_seconds >= 0.2


def test_a_slow_engine_carries_no_more_than_its_time_allows():
    load = measure_load(SlowEngine(), PLAN, EngineSettings(max_batch=4), 2, 0.2)
    # each patch is 0.48 s of audio and takes 10 ms or more
    assert 0 < load.sources <= 48.0
