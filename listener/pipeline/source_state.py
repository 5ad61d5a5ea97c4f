"""One source on the inference thread: chunks -> patches, and their scores -> what there is to tell."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from listener.clips.extractor import ClipExtractor
from listener.detection.audio import AudioChunk, ConditionLimits, ConditionMeter, Status
from listener.detection.clip import ClipDraft, ClipError
from listener.detection.event import SoundEvent
from listener.detection.features import FrontEnd, Patch, PatchStream
from listener.detection.hysteresis import EventDetector
from listener.detection.params import FeatureParams
from listener.detection.scores import PatchScores, Scores, slot_of
from listener.health import SourceHealth
from listener.pipeline.chunk_queue import Item, StreamEnd
from listener.pipeline.plan import DetectionPlan
from listener.sinks.sink import ClipNotice, EventNotice, Level, Notice, PatchNotice, SourceStatus

log = logging.getLogger(__name__)

# Samples drift against the clock by less; a patch hop that is so much off was timed by another clock.
_CLOCK_STEP_SECONDS = 0.1


ScoresTap = Callable[[PatchScores], None]
Step = AudioChunk | Patch | StreamEnd
Recut = Callable[[str, FeatureParams, int], None]
"""Told that patches of a source are of other params, from the sample on that is given."""


class SourceState:
    """Chunks of one source -> patches, and their scores -> notices, which it collects."""

    def __init__(
        self,
        name: str,
        plan: DetectionPlan,
        health: SourceHealth,
        front_end: FrontEnd,
        tap: ScoresTap | None,
        recut: Recut,
        limits: ConditionLimits,
    ) -> None:
        self._name, self._health, self._tap, self._recut = name, health, tap, recut
        self._limits, self._condition = limits, ConditionMeter(limits)
        self._patches = PatchStream(plan.params, front_end)
        self._notices: list[Notice] = []
        self._ended_at: float | None = None  # the newest patch of a stretch, unix seconds
        self._decided_until = 0.0  # the offset of the last slot
        self._reported = False
        self._cut_anew = False
        self._cut_until = 0  # the index after the newest sample that was cut into patches
        self._heard: AudioChunk | None = None  # after the newest chunk of a stretch
        self._detect_by(plan)

    def _detect_by(self, plan: DetectionPlan) -> None:
        self._plan = plan
        self._cutter = _make_cutter(self._name, plan)
        self._detector = EventDetector(
            self._name,
            plan.policies,
            plan.params.patch_hop_seconds,
            bundle=plan.bundle,
            namespace=plan.namespace,
        )
        labels = self._detector.labels
        self._column = {label: column for column, label in enumerate(labels)}
        numbers = self._health.by_label.moved_to(labels)
        numbers.scores = self._detector.smoothed
        self._health.by_label = numbers
        self.adjust(plan)

    def adjust(self, plan: DetectionPlan) -> None:
        """Other thresholds and muted labels, from the next patch on."""
        self._plan = plan
        chosen = plan.policies_of(self._name)
        self._muted = chosen.muted
        self._detector.adjust(chosen.policies, chosen.muted)
        self._health.by_label.on_thresholds[:] = [
            chosen.policies[label].on_threshold for label in self._detector.labels
        ]
        if self._cutter is not None:
            self._cutter.adjust(chosen.policies)

    def take_rest(self) -> list[Patch]:
        """The patch of what no patch has covered, which another front end would not know."""
        return self._patches.finish()

    def change_bundle(self, plan: DetectionPlan, front_end: FrontEnd | None) -> None:
        """Open events end; the next patch is judged by the new plan, its samples are heard once.

        `front_end` is None where patches go on as they are.
        """
        if front_end is not None:
            if self._ended_at is not None:
                self._finish(self._ended_at, "bundle")
            self._patches = PatchStream(plan.params, front_end)
            self._cut_anew = True
        else:  # the next slot begins where the last one ended
            self._end_events(self._decided_until, "bundle")
        self._detect_by(plan)

    def cut(self, item: Item) -> list[Step]:
        """A chunk and the patches that it completes; or the end, after what no patch has covered."""
        if not isinstance(item, AudioChunk):
            self._cut_until = 0
            return [*self._patches.finish(), item]
        if self._cut_anew:
            self._recut(self._name, self._plan.params, item.start)
            self._cut_anew = False
        self._health.missing_samples += max(0, item.start - self._cut_until)
        self._cut_until = item.end
        return [item, *self._patches.push(item)]

    def take_notices(self) -> list[Notice]:
        """What has come up since the last time."""
        notices, self._notices = self._notices, []
        return notices

    def hear(self, chunk: AudioChunk) -> None:
        """What comes before its patches: a hole, a step of the clock, sound that may become a clip."""
        if self._heard is not None:
            self._follow(self._heard, chunk)
        self._heard = chunk.tail
        if self._cutter is not None:
            self._cutter.push_audio(chunk)

    def _follow(self, before: AudioChunk, chunk: AudioChunk) -> None:
        step = chunk.captured_at - before.time_of(chunk.start)
        if chunk.start != before.end:
            self._finish(before.ended_at, "gap")
        elif abs(step) > _CLOCK_STEP_SECONDS:
            self._shift(step)

    def _shift(self, seconds: float) -> None:
        """The clock was set: what is open goes on, on the new one."""
        self._detector.shift(seconds)
        self._decided_until += seconds
        if self._ended_at is not None:
            self._ended_at += seconds
        if self._cutter is not None:
            self._keep(self._cutter.finish(()))  # the parts of a clip have one clock

    def push(
        self,
        patch: Patch,
        scores: Scores,
        embedding: NDArray[np.float32],
        private: np.bool_,
        members: Scores,
    ) -> None:
        """Take the scores of the next patch, whether people were heard in it, and of members of groups."""
        first = self._ended_at is None
        onset, offset = slot_of(patch, self._plan.params, first=first)
        self._ended_at = heard_at = patch.ended_at
        self._decided_until = offset
        row = PatchScores(self._name, onset, offset, scores, embedding, patch.level_dbfs, members)
        self._record(patch, heard_at)
        if self._tap is not None:
            self._tap(row)
        events = self._detector.push(row)
        self._publish(events, heard_at)
        self._show(patch, heard_at)
        if self._cutter is not None:
            smoothed = self._detector.smoothed
            self._keep(self._cutter.push(row, smoothed, events, private=bool(private)))

    def _show(self, patch: Patch, heard_at: float) -> None:
        labels, smoothed = self._detector.labels, self._detector.smoothed.copy()
        self._notices.append(
            PatchNotice(self._name, heard_at, patch, self._plan.params, labels, smoothed)
        )

    def _keep(self, cuttings: Iterable[ClipDraft]) -> None:
        self._notices += [ClipNotice(cutting) for cutting in cuttings]

    def snapshot(self, seconds: float) -> str:
        """Keep the last seconds; the id of their clip.

        Raises:
            ClipError: no clips are kept, or there is nothing to keep.
        """
        if self._cutter is None:
            raise ClipError("snapshot: clips are off (clips.enabled)")
        cutting = self._cutter.snapshot(seconds)
        if cutting is None:
            raise ClipError(f"snapshot: nothing was heard of source {self._name} lately")
        self._keep([cutting])
        return cutting.record.id

    def _record(self, patch: Patch, heard_at: float) -> None:
        health = self._health
        health.patches += 1
        health.last_patch_at = time.time()
        health.level_dbfs = patch.level_dbfs
        hop_seconds = self._plan.params.patch_hop_seconds
        condition = self._condition.push(hop_seconds, patch.level_dbfs, patch.clipped_share)
        if condition != health.status:
            self._report(condition, heard_at, self._limits.describe(condition))
        self._notices.append(Level(self._name, patch.level_dbfs, patch.peak_dbfs, heard_at))

    def end(self, end: StreamEnd) -> None:
        """The stream ended, and with it what is open."""
        heard_until, hop_seconds = self._ended_at, self._plan.params.patch_hop_seconds
        if heard_until is not None and end.at > heard_until + hop_seconds:
            self._finish(heard_until, "gap")  # the chunks between were dropped
        self._finish(end.at, end.reason)
        self._condition = ConditionMeter(self._limits)
        if self._health.up or not self._reported:  # once an episode, not once a try
            self._report("offline", end.at, end.detail or end.reason)

    def _report(self, status: Status, at: float, reason: str | None) -> None:
        if status == "online":
            log.info("source %s: online", self._name)
        elif status != "offline":  # the capture told that, and why
            log.warning("source %s: %s: %s", self._name, status, reason)
        self._health.status = status
        self._reported = True
        self._notices.append(SourceStatus(self._name, status, at, reason))

    def shut_down(self) -> None:
        """The station stops and the source has not ended by itself."""
        if self._ended_at is not None:
            self.end(StreamEnd(self._name, self._ended_at, "shutdown"))

    def _finish(self, at: float, reason: str) -> None:
        self._end_events(at, reason)
        self._ended_at = self._heard = None

    def _end_events(self, at: float, reason: str) -> None:
        events = self._detector.finish(at, reason)
        self._publish(events, at)
        if self._cutter is not None:
            self._keep(self._cutter.finish(events))

    def _publish(self, events: list[SoundEvent], heard_at: float) -> None:
        for event in events:
            self._count(event)
            kept = self._cutter is not None and self._cutter.keeps(event)
            clip = event.id if kept else None
            self._notices.append(EventNotice(self._with_reason(event), heard_at, clip))

    def _with_reason(self, event: SoundEvent) -> SoundEvent:
        muted = event.offset is not None and event.label in self._muted
        return replace(event, reason=event.reason or "muted") if muted else event

    def _count(self, event: SoundEvent) -> None:
        column, numbers = self._column[event.label], self._health.by_label
        numbers.active[column] = event.offset is None
        if event.offset is None:
            numbers.events[column] += 1


def _make_cutter(source: str, plan: DetectionPlan) -> ClipExtractor | None:
    if plan.clips is None:
        return None
    return ClipExtractor(
        source,
        plan.policies,
        plan.params,
        plan.clips.cutting,
        Random(),
        groups=plan.groups,
        bundle=plan.bundle,
        namespace=plan.namespace,
    )
