"""A clip store with a few clips of one class, marked by a person, and this room's ambience."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from listener.detection.audio import Samples
from listener.detection.clip import ClipAnalysis, ClipRecord, LabelSpan, Reason, Verdict
from listener.detection.clip_files import write_clip
from listener.detection.event import event_id
from listener.detection.params import FeatureParams
from listener.soundscape.schedule import busy_ambience
from trainer.data.audio import read_audio
from trainer.data.clips import Clip
from trainer.evaluation.calibration import spans_of

AMBIENT_CLIPS, AMBIENT_SECONDS = 12, 20.0
_START = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
_EMPTY = ClipAnalysis((), np.zeros(1), np.zeros((0, 0), np.float16), np.zeros((0, 0), np.float16))


def write_store(root: Path, clips: Sequence[Clip], label: str, seed: int) -> Path:
    """The clips, whose verdict is the label from its first loud part to the last, and ambience."""
    features = FeatureParams()
    hour = 0
    for clip in clips:
        samples = read_audio(clip, features.sample_rate_hz)
        (span,) = spans_of(clip, samples, features)
        heard = (LabelSpan(label, span.onset, span.offset),)
        verdict = Verdict("labels", who="benchmark", at=_START, labels=heard)
        _write(root, hour, samples, "missed", (verdict,))
        hour += 1
    for samples in _ambience(seed):
        _write(root, hour, samples, "ambient", ())
        hour += 1
    return root


def _ambience(seed: int) -> Iterator[Samples]:
    random = np.random.default_rng(seed)
    return (busy_ambience(AMBIENT_SECONDS, random) for _ in range(AMBIENT_CLIPS))


def _write(
    root: Path, hour: int, samples: Samples, reason: Reason, verdicts: tuple[Verdict, ...]
) -> None:
    at = _START + 3600.0 * hour
    name = event_id("benchmark", "room", reason, at)
    path = root / f"{datetime.fromtimestamp(at, UTC):%Y/%m/%d}" / f"{name}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    rate_hz = FeatureParams().sample_rate_hz
    record = ClipRecord(name, path, "room", at, len(samples) / rate_hz, reason, verdicts=verdicts)
    write_clip(record, samples, rate_hz, _EMPTY)
