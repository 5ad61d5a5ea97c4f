"""One source on the inference thread: chunks -> patches, and their scores -> notices."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from listener.clips.extractor import ClipExtractor
from listener.detection import framing, hysteresis
from listener.detection.audio import AudioChunk, ConditionLimits, ConditionMeter, Status
from listener.detection.bandwidth import BandwidthMeter, describe_bandwidth
from listener.detection.clip import ClipDraft, ClipError
from listener.detection.event import SoundEvent
from listener.detection.features import FrontEnd, Patch, PatchStream
from listener.detection.scores import PatchScores, Scores, slot_of
from listener.health import SourceHealth
from listener.pipeline.chunk_queue import Item, StreamEnd
from listener.pipeline.plan import DetectionPlan
from listener.sinks.sink import ClipNotice, EventNotice, Level, Notice, PatchNotice, SourceStatus

log = logging.getLogger(__name__)

# Samples drift less against the clock; a patch hop that is off by more was timed by another clock.
_CLOCK_STEP_SECONDS = 0.1

ScoresTap = Callable[[PatchScores], None]
Step = AudioChunk | Patch | StreamEnd


class SourceState:
    """The patches, detector and clips of one source; it collects the notices that they give.

    `grids` is where the captures read how to cut their chunks, by source.
    """

    def __init__(
        self,
        name: str,
        plan: DetectionPlan,
        health: SourceHealth,
        front_end: FrontEnd,
        tap: ScoresTap | None,
        grids: dict[str, framing.PatchGrid],
        limits: ConditionLimits,
    ) -> None:
        self._name, self._health, self._tap, self._grids = name, health, tap, grids
        self._limits, self._condition = limits, ConditionMeter(limits)
        self._patches = PatchStream(plan.params, front_end)
        self._bandwidth = BandwidthMeter(plan.params)
        self._notices: list[Notice] = []
        self._ended_at: float | None = None  # the newest patch since a hole, unix seconds
        self._decided_until = 0.0  # the offset of the last slot
        self._reported = False
        self._new_grid = False  # the next chunk begins one
        self._cut_until = 0  # the index after the newest sample that was cut into patches
        self._tail: AudioChunk | None = None  # of the newest chunk since a hole
        self._use_plan(plan)

    def _use_plan(self, plan: DetectionPlan) -> None:
        self._extractor = _make_extractor(self._name, plan)
        self._detector = hysteresis.EventDetector(
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
        if self._extractor is not None:
            self._extractor.adjust(chosen.policies)

    def flush(self) -> list[Patch]:
        """The padded patch of the samples that no patch has covered; another front end would lose them."""
        return self._patches.finish()

    def change_bundle(self, plan: DetectionPlan, front_end: FrontEnd | None) -> None:
        """End open events and use the new plan from the next patch on; no sample is analysed twice.

        `front_end` is None if the patches stay as they are.
        """
        if front_end is not None:
            if self._ended_at is not None:
                self._finish(self._ended_at, "bundle")
            self._patches = PatchStream(plan.params, front_end)
            self._bandwidth = BandwidthMeter(plan.params)  # its bands may be others
            self._new_grid = True
        else:  # the next slot begins where the last one ended
            self._end_events(self._decided_until, "bundle")
        self._use_plan(plan)

    def split(self, item: Item) -> list[Step]:
        """A chunk and the patches that it completes; or the end, after the padded patch of what is left."""
        if not isinstance(item, AudioChunk):
            self._cut_until = 0
            return [*self._patches.finish(), item]
        if self._new_grid:
            self._grids[self._name] = framing.PatchGrid(self._plan.params, item.start)
            self._new_grid = False
        self._health.missing_samples += max(0, item.start - self._cut_until)
        self._cut_until = item.end
        return [item, *self._patches.push(item)]

    def pop_notices(self) -> list[Notice]:
        """The notices since the last call."""
        notices, self._notices = self._notices, []
        return notices

    def push_audio(self, chunk: AudioChunk) -> None:
        """Add a chunk, before its patches: it may follow a hole or a step of the clock."""
        before = self._tail
        if before is not None:
            step_seconds = chunk.captured_at - before.time_of(chunk.start)
            if chunk.start != before.end:
                self._finish(before.ended_at, "gap")
            elif abs(step_seconds) > _CLOCK_STEP_SECONDS:
                self._shift_clock(step_seconds)
        self._tail = chunk.tail
        if self._extractor is not None:
            self._extractor.push_audio(chunk)

    def _shift_clock(self, seconds: float) -> None:
        """The clock was set: open events go on, on the new clock."""
        self._detector.shift(seconds)
        self._decided_until += seconds
        if self._ended_at is not None:
            self._ended_at += seconds
        if self._extractor is not None:
            self._keep(self._extractor.finish(()))  # a clip has one clock

    def push(
        self,
        patch: Patch,
        scores: Scores,
        embedding: NDArray[np.float32],
        private: np.bool_,
        members: Scores,
    ) -> None:
        """Add the scores of the next patch and of groups' members; `private`: people are heard in it."""
        onset, offset = slot_of(patch, self._plan.params, first=self._ended_at is None)
        self._ended_at = heard_at = patch.ended_at
        self._decided_until = offset
        row = PatchScores(self._name, onset, offset, scores, embedding, patch.level_dbfs, members)
        self._record(patch, heard_at)
        if self._tap is not None:
            self._tap(row)
        events = self._detector.push(row)
        self._publish(events, heard_at)
        params, labels, smoothed = self._plan.params, self._detector.labels, self._detector.smoothed
        self._notices.append(
            PatchNotice(self._name, heard_at, patch, params, labels, smoothed.copy())
        )
        if self._extractor is not None:
            self._keep(self._extractor.push(row, smoothed, events, private=bool(private)))

    def _keep(self, drafts: Iterable[ClipDraft]) -> None:
        self._notices += [ClipNotice(draft) for draft in drafts]

    def snapshot(self, seconds: float) -> str:
        """Keep the last seconds; the id of their clip.

        Raises:
            ClipError: no clips are kept, or there is nothing to keep.
        """
        if self._extractor is None:
            raise ClipError("snapshot: clips are off (clips.enabled)")
        draft = self._extractor.snapshot(seconds)
        if draft is None:
            raise ClipError(f"snapshot: nothing was heard of source {self._name} lately")
        self._keep([draft])
        return draft.record.id

    def _record(self, patch: Patch, heard_at: float) -> None:
        health = self._health
        health.patches += 1
        health.last_patch_at = time.time()
        health.level_dbfs = patch.level_dbfs
        hop_seconds = self._plan.params.patch_hop_seconds
        condition = self._condition.push(hop_seconds, patch.level_dbfs, patch.clipped_share)
        if condition != health.status:
            self._report(condition, heard_at, self._limits.describe(condition))
        bandwidth_hz = self._bandwidth.push(patch.content)
        if bandwidth_hz != health.bandwidth_hz:
            self._report_bandwidth(bandwidth_hz, heard_at)
        self._notices.append(Level(self._name, patch.level_dbfs, patch.peak_dbfs, heard_at))

    def end(self, end: StreamEnd) -> None:
        """The stream ended, and with it all open events."""
        heard_until, hop_seconds = self._ended_at, self._plan.params.patch_hop_seconds
        if heard_until is not None and end.at > heard_until + hop_seconds:
            self._finish(heard_until, "gap")  # the chunks between were dropped
        self._finish(end.at, end.reason)
        self._condition = ConditionMeter(self._limits)
        if self._health.up or not self._reported:  # once an episode, not once a try
            self._report("offline", end.at, end.detail or end.reason)

    def _report(self, status: Status, at: float, reason: str | None) -> None:
        if status == "online":
            if not self._health.unstable:  # the capture's log sums that up
                log.info("source %s: online", self._name)
        elif status != "offline":  # the capture has logged that, and why
            log.warning("source %s: %s: %s", self._name, status, reason)
        self._health.status = status
        self._reported = True
        self._notices.append(
            SourceStatus(self._name, status, at, reason, self._health.bandwidth_hz)
        )

    def _report_bandwidth(self, bandwidth_hz: float | None, at: float) -> None:
        if bandwidth_hz is None:
            log.info("source %s: its bandwidth is not limited any more", self._name)
        else:
            log.warning("source %s: %s", self._name, describe_bandwidth(bandwidth_hz))
        health, reason = self._health, None
        health.bandwidth_hz = bandwidth_hz
        if health.status != "offline":
            reason = self._limits.describe(health.status)
        self._notices.append(SourceStatus(self._name, health.status, at, reason, bandwidth_hz))

    def shut_down(self) -> None:
        """The station stops and the source has not ended by itself."""
        if self._ended_at is not None:
            self.end(StreamEnd(self._name, self._ended_at, "shutdown"))

    def _finish(self, at: float, reason: str) -> None:
        self._end_events(at, reason)
        self._ended_at = self._tail = None

    def _end_events(self, at: float, reason: str) -> None:
        events = self._detector.finish(at, reason)
        self._publish(events, at)
        if self._extractor is not None:
            self._keep(self._extractor.finish(events))

    def _publish(self, events: list[SoundEvent], heard_at: float) -> None:
        numbers = self._health.by_label
        for event in events:
            column, active = self._column[event.label], event.offset is None
            numbers.active[column] = active
            numbers.events[column] += active
            kept = self._extractor is not None and self._extractor.keeps(event)
            clip = event.id if kept else None
            muted = not active and event.label in self._muted and event.reason is None
            notice = replace(event, reason="muted") if muted else event
            self._notices.append(EventNotice(notice, heard_at, clip))


def _make_extractor(source: str, plan: DetectionPlan) -> ClipExtractor | None:
    if plan.clips is None:
        return None
    return ClipExtractor(
        source,
        plan.policies,
        plan.params,
        plan.clips.extraction,
        Random(),
        groups=plan.groups,
        bundle=plan.bundle,
        namespace=plan.namespace,
    )
