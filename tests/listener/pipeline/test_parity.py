"""Live and offline give the same scores and events, whatever the chunks of a source."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.config.engine import EngineSettings
from listener.detection.audio import Samples
from listener.detection.event import SoundEvent
from listener.detection.features import log_mel_patches
from listener.detection.hysteresis import detect_events
from listener.detection.scores import PatchScores, slot_boundaries
from listener.pipeline.capture import SourcePlan
from listener.pipeline.pipeline import PipelineSettings
from tests.doubles import LABELS, ArraySource, ListSink, LoudnessEngine, Openings
from tests.listener.detection.waveforms import noise
from tests.listener.pipeline.stages import PARAMS, POLICY, make_pipeline


class InPieces(ArraySource):
    """Gives at most `size` samples a read."""

    size = 1

    def read(self, seconds: float):
        return super().read(min(seconds, self.size / self._rate_hz))


def in_pieces(samples: Samples, size: int, rate_hz: int = 16_000) -> InPieces:
    source = InPieces(samples, sample_rate_hz=rate_hz)
    source.size = size
    return source


def bursts(rate_hz: int) -> Samples:
    """Eight seconds, each of them loud or silent."""
    loud = np.random.default_rng(3).random(8) > 0.5
    parts = [noise(rate_hz, seed=k) if on else np.zeros(rate_hz) for k, on in enumerate(loud)]
    return np.concatenate(parts).astype(np.float32)


def analyse(source: ArraySource, max_batch: int, tap: list[PatchScores]) -> list[SoundEvent]:
    sink = ListSink()
    plan = SourcePlan("hall", Openings(source), lossless=True, restarts=False)
    flow = PipelineSettings(EngineSettings(max_batch=max_batch, max_wait_ms=0.0))
    make_pipeline([plan], {"list": sink}, settings_=flow, tap=tap)[0].run_to_end()
    return [notice.event for notice in sink.events]


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([8_000, 16_000, 44_100]), st.integers(1, 5_000), st.integers(1, 16))
def test_events_are_the_same_whatever_the_chunks_and_batches(
    rate_hz: int, size: int, max_batch: int
):
    """With their ids: from the small chunks of a live source, and from whole patches."""
    samples = bursts(rate_hz)
    whole = analyse(ArraySource(samples, sample_rate_hz=rate_hz), max_batch, [])
    size = max(size, rate_hz // 50)
    pieces = analyse(in_pieces(samples, size, rate_hz), max_batch, [])
    assert [event.id for event in whole] == [event.id for event in pieces]
    assert times_of(whole) == pytest.approx(times_of(pieces), abs=1e-6)
    assert whole


@settings(max_examples=15, deadline=None)
@given(st.integers(100, 100_000), st.integers(1, 8 * 16_000), st.integers(1, 16))
def test_scores_and_events_are_those_of_the_offline_path(size: int, count: int, max_batch: int):
    """Whatever the chunks and the length: whole patches, a remainder, or a single sample."""
    samples, rows = bursts(16_000)[:count], list[PatchScores]()
    live = [e for e in analyse(in_pieces(samples, size), max_batch, rows) if e.offset is not None]
    scores, _ = LoudnessEngine().infer(log_mel_patches(samples, PARAMS))
    boundaries = slot_boundaries(len(scores), count / 16_000, PARAMS)
    offline = detect_events(scores, boundaries, dict.fromkeys(LABELS, POLICY), 0.48)
    assert np.array([row.scores for row in rows]) == pytest.approx(scores, abs=1e-5)
    assert [row.onset for row in rows] == pytest.approx(boundaries[:-1])
    # live, the last slot does not know that it is the last and stands for the remaining audio, too
    assert [row.offset for row in rows[:-1]] == pytest.approx(boundaries[1:-1])
    live.sort(key=lambda event: (event.onset, event.label))
    assert [(e.label, e.reason) for e in live] == [(e.label, e.reason) for e in offline]
    assert times_of(live) == pytest.approx(times_of(offline))
    assert [e.mean_score for e in live] == pytest.approx([e.mean_score for e in offline], abs=1e-5)


def times_of(events: list[SoundEvent]) -> list[float]:
    return [time for event in events for time in (event.onset, event.offset or 0.0)]
