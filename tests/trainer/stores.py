"""A clip store as a station would have it: tones, noises and verdicts, written by the sidecar's writer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from listener.detection.audio import Samples
from listener.detection.clip import (
    ClipAnalysis,
    ClipRecord,
    GroupMembers,
    LabelSpan,
    Reason,
    Verdict,
    VerdictValue,
)
from listener.detection.clip_files import write_clip
from listener.detection.event import event_id

RATE_HZ = 16_000
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
MINUTE = 60.0


class StoreWriter:
    """Clips a minute apart, from some minutes after noon on, of one source."""

    def __init__(self, root: Path, source: str = "hall", minutes: int = 0) -> None:
        self.root, self.source = root, source
        self._count = minutes

    def add(
        self,
        samples: Samples,
        reason: Reason = "event",
        label: str | None = None,
        verdict: Verdict | None = None,
        embedding: tuple[float, ...] = (1.0, 0.0),
        groups: tuple[GroupMembers, ...] = (),
    ) -> ClipRecord:
        """A clip whose label, if any, is heard from beginning to end."""
        seconds = len(samples) / RATE_HZ
        captured_at = NOON + MINUTE * self._count
        self._count += 1
        record = ClipRecord(
            id=event_id("test", self.source, label or reason, captured_at),
            path=self.root / f"{datetime.fromtimestamp(captured_at, UTC):%Y/%m/%d}" / "x.flac",
            source=self.source,
            captured_at=captured_at,
            seconds=seconds,
            reason=reason,
            labels=() if label is None else (LabelSpan(label, 0.0, seconds),),
            groups=groups,
            verdicts=() if verdict is None else (verdict,),
        )
        record = replace(record, path=record.path.with_stem(record.id))
        record.path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(record, samples, RATE_HZ, _analysis(seconds, embedding))
        return record


def said(value: VerdictValue, *spans: LabelSpan) -> Verdict:
    return Verdict(value, who="a test", at=NOON, labels=spans)


def _analysis(seconds: float, embedding: tuple[float, ...]) -> ClipAnalysis:
    return ClipAnalysis(
        ("any",),
        np.array([0.0, seconds]),
        np.zeros((1, 1), np.float16),
        np.array([embedding], np.float16),
    )
