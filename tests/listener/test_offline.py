"""A file through the daemon's pipeline gives the scores and events of every other path."""

from __future__ import annotations

import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from listener.adapters import open_engine
from listener.config.engine import DetectionSettings, EngineSettings
from listener.config.sources import FileSettings
from listener.detection.bundle import Bundle
from listener.detection.event import SoundEvent
from listener.detection.features import log_mel_patches
from listener.detection.hysteresis import detect_events
from listener.detection.params import FeatureParams
from listener.detection.scores import PatchScores
from listener.engines.engine import Engine
from listener.health import Health
from listener.offline import Analysis, analyse_file
from listener.pipeline.capture import SourcePlan
from listener.pipeline.pipeline import Pipeline, PipelineSettings
from listener.pipeline.plan import DetectionPlan
from listener.planning import make_detection_plan
from listener.sources.file import FileSource
from tests.doubles import ListSink
from tests.listener.detection.waveforms import RATE_HZ, noise, silence, sine
from tests.listener.scenes import TOLERANCE_SECONDS, TRUTH, two_tones, write_damaged, write_sound

FLOW = PipelineSettings(EngineSettings(max_wait_ms=0.0))


@pytest.fixture(scope="module")
def engine(tones_bundle: Bundle) -> Engine:
    return open_engine(tones_bundle, EngineSettings())


@pytest.fixture(scope="module")
def plan(tones_bundle: Bundle) -> DetectionPlan:
    return make_detection_plan(tones_bundle, DetectionSettings(), "test")


@pytest.fixture(scope="module")
def two_tones_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sound(tmp_path_factory.mktemp("scenes") / "two_tones.wav", two_tones())


@pytest.fixture(scope="module")
def analysis(two_tones_file: Path, engine: Engine, plan: DetectionPlan) -> Analysis:
    return analyse_file(two_tones_file, engine, plan, FLOW)


def test_events_are_where_the_sounds_are(analysis: Analysis):
    assert [event.label for event in analysis.events] == [label for label, _, _ in TRUTH]
    for event, (_, onset, offset) in zip(analysis.events, TRUTH, strict=True):
        assert event.onset == pytest.approx(onset, abs=TOLERANCE_SECONDS)
        assert event.offset == pytest.approx(offset, abs=TOLERANCE_SECONDS)
        assert event.level_dbfs == pytest.approx(-9.03, abs=0.1)
        assert event.bundle == "tones@1"


def test_scores_are_those_of_the_engine_on_the_whole_waveform(analysis: Analysis, engine: Engine):
    scores, _ = engine.infer(log_mel_patches(two_tones(), FeatureParams()))
    assert analysis.scores.shape == scores.shape == (18, 3)
    assert np.abs(analysis.scores - scores).max() < 1e-5


def test_the_log_mel_of_the_engine_gives_the_same_scores_and_events(
    two_tones_file: Path, analysis: Analysis, tones_bundle: Bundle, plan: DetectionPlan
):
    settings = EngineSettings(kind="tensorflow", front_end="device")
    other = analyse_file(two_tones_file, open_engine(tones_bundle, settings), plan, FLOW)
    np.testing.assert_allclose(other.scores, analysis.scores, atol=1e-3)
    found, expected = (
        [(event.label, event.onset, event.offset) for event in each.events]
        for each in (other, analysis)
    )
    assert found == expected


def test_boundaries_run_from_the_start_of_the_file_to_its_end(analysis: Analysis):
    assert len(analysis.boundaries) == len(analysis.scores) + 1
    assert (analysis.boundaries[0], analysis.boundaries[-1]) == (0.0, 9.0)
    assert np.diff(analysis.boundaries)[1:-1] == pytest.approx(0.48)


@pytest.mark.parametrize("seconds", [0.3, 0.975, 1.0, 1.47, 7.77])
@pytest.mark.parametrize("min_seconds", [0.0, 1.0, 1.2])
def test_events_are_those_of_the_table_of_scores(
    tmp_path: Path, engine: Engine, tones_bundle: Bundle, seconds: float, min_seconds: float
):
    """Also when the sound lasts to the end of the file, wherever that is in a patch."""
    settings = DetectionSettings.model_validate(
        {"default_policy": {"min_duration_seconds": min_seconds, "smoothing_seconds": 0.0}}
    )
    plan = make_detection_plan(tones_bundle, settings, "")
    path = write_sound(tmp_path / "tone.wav", sine(500.0, seconds, 0.5))
    found = analyse_file(path, engine, plan, FLOW)
    table = detect_events(
        found.scores, found.boundaries, plan.policies, 0.48, source="file", bundle="tones@1"
    )
    assert without_levels(found.events) == without_levels(table)
    assert bool(found.events) == (seconds >= max(0.9, min_seconds))  # shorter, it is mostly padding


def without_levels(events: list[SoundEvent]) -> list[tuple[object, ...]]:
    return [
        (e.id, e.label, round(e.onset, 6), round(e.offset or 0.0, 6), e.mean_score, e.reason)
        for e in events
    ]


def test_real_time_gives_the_same_events(tmp_path: Path, engine: Engine, plan: DetectionPlan):
    samples = np.concatenate([silence(0.6), sine(500.0, 1.5, 0.5), silence(0.7)])
    path = write_sound(tmp_path / "scene.wav", samples)
    at_once = analyse_file(path, engine, plan, FLOW).events
    settings = FileSettings(name="file", kind="file", path=path, pace="realtime")
    sink = ListSink()
    source = SourcePlan("file", partial(FileSource, settings), restarts=False)
    health = Health(tuple(plan.policies), plan.bundle)
    Pipeline([source], engine, plan, {"list": sink}, health, FLOW).run_to_end()
    live = [notice.event for notice in sink.events if notice.event.offset is not None]
    assert len(live) == len(at_once) == 1
    assert live[0].seconds == pytest.approx(at_once[0].seconds, abs=1e-5)
    assert live[0].peak_score == pytest.approx(at_once[0].peak_score, abs=1e-5)
    began_at = min(level.at for level in sink.levels) - 0.975
    # unix time is read anew for each chunk: two clocks, one after the other
    assert live[0].onset - began_at == pytest.approx(at_once[0].onset, abs=1e-3)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_another_sample_rate_gives_the_same_events(
    tmp_path: Path, engine: Engine, plan: DetectionPlan, analysis: Analysis, rate_hz: int
):
    path = write_sound(tmp_path / "other.flac", two_tones(rate_hz), rate_hz)
    events = analyse_file(path, engine, plan, FLOW).events
    assert spans_of(events) == spans_of(analysis.events)


def spans_of(events: list[SoundEvent]) -> list[tuple[str, float, float]]:
    return [(e.label, round(e.onset, 4), round(e.offset or 0.0, 4)) for e in events]


def test_eight_channels_at_192_khz(tmp_path: Path, engine: Engine, plan: DetectionPlan):
    mono = sine(500.0, 2.0, 0.5, 192_000)
    channels = np.stack([mono] * 8, axis=1)
    path = write_sound(tmp_path / "eight.wav", channels, 192_000)
    events = analyse_file(path, engine, plan, FLOW).events
    assert [(e.label, e.onset, e.offset) for e in events] == [("low_tone", 0.0, 2.0)]


def test_samples_that_are_not_finite_are_silence(
    tmp_path: Path, engine: Engine, plan: DetectionPlan
):
    samples = noise(3 * RATE_HZ)
    samples[1_000:2_000] = np.nan
    found = analyse_file(write_sound(tmp_path / "nan.wav", samples), engine, plan, FLOW)
    assert np.isfinite(found.scores).all()


def test_a_single_sample_is_a_patch(tmp_path: Path, engine: Engine, plan: DetectionPlan):
    path = write_sound(tmp_path / "one.wav", np.array([0.5], np.float32))
    found = analyse_file(path, engine, plan, FLOW)
    assert found.scores.shape == (1, 3)
    assert found.boundaries.tolist() == [0.0, 1 / RATE_HZ]
    assert found.events == []


@pytest.mark.parametrize("content", [None, b"", b"not audio at all"])
def test_an_unreadable_file_is_an_error(
    tmp_path: Path, engine: Engine, plan: DetectionPlan, content: bytes | None
):
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    found = analyse_file(path, engine, plan, FLOW)
    assert (found.events, found.misses, len(found.scores)) == ([], [], 0)
    assert str(found.fault).startswith(f"{path}: ")


def test_a_file_that_was_cut_off_ends_there(tmp_path: Path, engine: Engine, plan: DetectionPlan):
    found = analyse_file(write_cut(tmp_path / "cut.flac"), engine, plan, FLOW)
    assert [event.label for event in found.events] == ["low_tone"]
    assert (found.fault, found.events[0].reason) == (None, "end_of_stream")


def write_cut(path: Path) -> Path:
    """A tone from 1 s on, cut off at about 5 of 8 s."""
    tone = np.concatenate([silence(1.0), sine(500.0, 7.0, 0.5)])
    tone += 0.01 * noise(len(tone))
    soundfile.write(path, tone, RATE_HZ)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 5 // 8])
    return path


def test_what_was_found_before_a_fault_is_kept(tmp_path: Path, engine: Engine, plan: DetectionPlan):
    found = analyse_file(write_damaged(tmp_path / "bad.flac"), engine, plan, FLOW)
    assert [event.label for event in found.events] == ["low_tone", "noise"]
    assert found.events[0].onset == pytest.approx(1.0, abs=TOLERANCE_SECONDS)
    assert len(found.scores) > 5
    assert found.fault == f"{tmp_path / 'bad.flac'}: cannot be read further: " + LOST_SYNC


LOST_SYNC = "Error : flac decoder lost sync."


def test_without_scores_the_rest_is_the_same(
    two_tones_file: Path, analysis: Analysis, engine: Engine, plan: DetectionPlan
):
    found = analyse_file(two_tones_file, engine, plan, FLOW, keep_scores=False)
    assert (found.events, found.misses) == (analysis.events, analysis.misses)
    assert [miss.label for miss in found.misses] == ["noise"]
    assert len(found.scores) == 0


class WideEngine:
    """An engine with embeddings of 16 KB."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def infer(
        self, patches: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scores, _ = self._engine.infer(patches)
        return scores, np.zeros((len(scores), 4096), np.float32)


@pytest.mark.parametrize("naive", [False, True])
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, engine: Engine, plan: DetectionPlan, naive: bool
):
    """The peak over ten minutes is that over two; the naive approach keeps each patch's embedding."""
    wide = WideEngine(engine)
    rows: list[PatchScores] = []

    def keep_all(path: Path) -> None:
        settings = FileSettings(name="file", kind="file", path=path, pace="fast")
        source = SourcePlan("file", partial(FileSource, settings), lossless=True, restarts=False)
        health = Health(tuple(plan.policies), plan.bundle)
        Pipeline([source], wide, plan, {}, health, FLOW, rows.append).run_to_end()

    def analyse(path: Path) -> None:
        analyse_file(path, wide, plan, FLOW, keep_scores=False)

    peaks = []
    for name, seconds in (("warm", 5), ("short", 120), ("long", 600)):
        path = tmp_path / f"{name}.flac"
        soundfile.write(path, np.zeros(seconds * RATE_HZ, np.int16), RATE_HZ)
        tracemalloc.start()
        (keep_all if naive else analyse)(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[2] - peaks[1] > 2_000_000) is naive, peaks
