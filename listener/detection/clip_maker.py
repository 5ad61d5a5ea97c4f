"""From a stretch of sound that is wanted to a cutting with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from listener.detection.clip import ClipAnalysis, ClipRecord, Cutting, LabelScore, LabelSpan, Reason
from listener.detection.event import SoundEvent, event_id
from listener.detection.group_members import order_members
from listener.detection.labels import LabelGroup
from listener.detection.policy import LabelPolicy
from listener.detection.recent import Stretch

_TOP_LABELS = 3


@dataclass(slots=True)
class WantedClip:
    """A clip to be, from `start` to `end`, seconds. It is cut when the slots up to `ready_at` are there.

    `span` is when the label sounds that it stands for, `score` its highest.
    """

    reason: Reason
    start: float
    end: float
    ready_at: float
    span: LabelSpan | None = None
    score: float | None = None
    event: SoundEvent | None = None


class ClipMaker:
    """Names and describes the clips of one source; its `policies` may change, but not their labels."""

    def __init__(
        self,
        source: str,
        policies: Mapping[str, LabelPolicy],
        bundle: str,
        namespace: str,
        groups: Sequence[LabelGroup],
    ) -> None:
        self._source, self.policies = source, policies
        self._bundle, self._namespace = bundle, namespace
        self._groups = groups

    def make(self, wanted: WantedClip, stretch: Stretch, sample_rate_hz: int) -> Cutting:
        """The cutting; `stretch` is what is there of the clip that is wanted."""
        seconds = len(stretch.samples) / sample_rate_hz
        analysis = stretch.analysis(tuple(self.policies), seconds)
        record = ClipRecord(
            id=(clip_id := self._id(wanted, stretch.captured_at)),
            path=Path(f"{clip_id}.flac"),
            source=self._source,
            captured_at=stretch.captured_at,
            seconds=seconds,
            reason=wanted.reason,
            event=wanted.event,
            labels=_labels(wanted, stretch.captured_at, seconds),
            bundle=self._bundle,
            top=_top(analysis),
            groups=order_members(self._groups, stretch.slots, wanted.span),
        )
        if wanted.span is not None:
            on_threshold = self.policies[wanted.span.label].on_threshold
            record = replace(record, score=wanted.score, on_threshold=on_threshold)
        return Cutting(record, sample_rate_hz, stretch.samples, analysis)

    def _id(self, wanted: WantedClip, captured_at: float) -> str:
        if wanted.event is not None:
            return wanted.event.id
        label = wanted.span.label if wanted.span else ""
        return event_id(self._namespace, self._source, f"{wanted.reason}:{label}", captured_at)


def _labels(wanted: WantedClip, captured_at: float, seconds: float) -> tuple[LabelSpan, ...]:
    """The span in seconds of the clip, as far as it is inside."""
    if wanted.span is None:
        return ()
    onset = max(0.0, wanted.span.onset - captured_at)
    offset = min(seconds, wanted.span.offset - captured_at)
    return (LabelSpan(wanted.span.label, onset, offset),) if onset < offset else ()


def _top(analysis: ClipAnalysis) -> tuple[LabelScore, ...]:
    if not len(analysis.scores):
        return ()
    highest = analysis.scores.max(axis=0)
    first = np.argsort(-highest, kind="stable")[:_TOP_LABELS]
    return tuple(
        LabelScore(analysis.labels[label], round(float(highest[label]), 4)) for label in first
    )
