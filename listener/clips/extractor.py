"""Cuts clips out of the audio of one source: events, near misses, ambient sound, snapshots."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from listener.clips.audio_buffer import AudioBuffer, BufferSlot, Segment
from listener.detection import audio, clip, scores
from listener.detection.event import SoundEvent, event_id
from listener.detection.labels import LabelGroup
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy

_TOP_LABELS = 3
_HOUR_SECONDS = 3600.0
_AMBIENT_SECONDS = 5.0
_SPARE_SLOTS = 4  # of buffered audio, so that a clip may be cut a little late


@dataclass(frozen=True, slots=True)
class ExtractionPlan:
    """Which clips are kept: `labels` may be kept, and no clip is longer than `max_seconds`."""

    labels: frozenset[str]
    pre_seconds: float = 2.0
    post_seconds: float = 2.0
    max_seconds: float = 30.0
    near_misses_per_hour: float = 4.0
    ambient_per_hour: float = 1.0


class ClipExtractor:
    """Chunks, scores and events of one source -> clip drafts, each as soon as its post-roll is there.

    No clip spans a hole. Of an event that is longer than a clip may be, the first part is kept, and its
    event has no offset. Near misses and ambient clips are not kept where people were heard (`private`),
    ambient clips not where there was an event either.
    """

    def __init__(
        self,
        source: str,
        policies: Mapping[str, LabelPolicy],
        params: FeatureParams,
        plan: ExtractionPlan,
        random: Random,
        *,
        bundle: str = "",
        namespace: str = "",
        groups: Sequence[LabelGroup] = (),
    ) -> None:
        self._plan = plan
        hop_seconds = params.patch_hop_seconds
        delays = [policy.smoothing_patches(hop_seconds) // 2 for policy in policies.values()]
        # an event is known this long after its slots
        self._delay_seconds = max(delays, default=0) * hop_seconds
        late_seconds = self._delay_seconds + params.patch_seconds + _SPARE_SLOTS * hop_seconds
        self._buffer = AudioBuffer(params.sample_rate_hz, plan.max_seconds + late_seconds)
        self._near_misses = NearMissFinder(policies, hop_seconds, plan.max_seconds, self._buffer)
        self._describer = ClipDescriber(source, policies, bundle, namespace, groups)
        self._near_miss_limit = HourlyLimit(plan.near_misses_per_hour)
        self._moments = RandomMoments(plan.ambient_per_hour, random)
        self._pending: list[PendingClip] = []
        self._active: set[str] = set()  # ids of open events, whatever their label
        self._event_until = -math.inf

    def keeps(self, event: SoundEvent) -> bool:
        """Whether a clip of an event is kept."""
        return event.label in self._plan.labels

    def adjust(self, policies: Mapping[str, LabelPolicy]) -> None:
        """Use other thresholds of the same labels from the next slot on."""
        self._near_misses.adjust(policies)
        self._describer.policies = policies

    def push_audio(self, chunk: audio.AudioChunk) -> None:
        """Add the next samples, before their scores; call `finish` before a hole."""
        self._buffer.push_audio(chunk)

    def push(
        self,
        row: scores.PatchScores,
        smoothed: scores.Scores,
        events: Iterable[SoundEvent],
        *,
        private: bool,
    ) -> list[clip.ClipDraft]:
        """Add the next slot, the latest smoothed scores, and the events that began or ended with it."""
        self._buffer.add(row, private=private)
        self._note_events(events)
        self._add_near_misses(self._near_misses.push(smoothed))
        if self._moments.passed(row.offset):
            end = row.onset + _AMBIENT_SECONDS
            self._pending.append(PendingClip("ambient", row.onset, end, end + self._delay_seconds))
        return self._cut_ready(row.offset)

    def finish(self, events: Iterable[SoundEvent]) -> list[clip.ClipDraft]:
        """The audio ended, with these events: pending clips are cut as far as their audio is there."""
        self._note_events(events)
        self._add_near_misses(self._near_misses.finish())
        drafts = self._cut_ready(math.inf)
        self._buffer.clear()
        return drafts

    def snapshot(self, seconds: float) -> clip.ClipDraft | None:
        """The last seconds, at most a clip's length; None if the buffer is empty.

        Its reason is "missed": a person heard something that the station did not report.
        """
        end = self._buffer.ended_at
        start = end - min(seconds, self._plan.max_seconds)
        return self._cut(PendingClip("missed", start, end, end))

    def _note_events(self, events: Iterable[SoundEvent]) -> None:
        for event in events:
            if event.offset is None:
                self._active.add(event.id)
                if self.keeps(event):
                    start, end = self._longest(event.onset)
                    span, score = (
                        clip.LabelSpan(event.label, event.onset, end),
                        float(event.peak_score),
                    )
                    self._pending.append(PendingClip("event", start, end, end, span, score, event))
                continue
            self._active.discard(event.id)
            self._event_until = max(self._event_until, event.offset)
            for pending in self._pending:
                if pending.event is not None and pending.event.id == event.id:
                    pending.event, pending.score = event, float(event.peak_score)
                    pending.end = min(pending.end, event.offset + self._plan.post_seconds)
                    pending.ready_at = pending.end
                    pending.span = clip.LabelSpan(event.label, event.onset, event.offset)

    def _add_near_misses(self, misses: Iterable[NearMiss]) -> None:
        for miss in misses:
            if miss.label in self._plan.labels:
                start, longest_end = self._longest(miss.onset)
                end = min(miss.offset + self._plan.post_seconds, longest_end)
                span = clip.LabelSpan(miss.label, miss.onset, miss.offset)
                self._pending.append(PendingClip("near_miss", start, end, end, span, miss.score))

    def _longest(self, onset: float) -> tuple[float, float]:
        """Start and latest end of a clip; it starts no earlier than the buffer."""
        start = max(onset - self._plan.pre_seconds, self._buffer.began_at)
        return start, start + self._plan.max_seconds

    def _cut_ready(self, until: float) -> list[clip.ClipDraft]:
        ready = [pending for pending in self._pending if pending.ready_at <= until]
        self._pending = [pending for pending in self._pending if pending.ready_at > until]
        drafts = [self._cut(pending) for pending in ready]
        return [draft for draft in drafts if draft is not None]

    def _cut(self, pending: PendingClip) -> clip.ClipDraft | None:
        segment = self._buffer.cut(pending.start, pending.end)
        if segment is None:
            return None
        at, private = segment.captured_at, segment.private
        if pending.reason == "near_miss" and (private or not self._near_miss_limit.allows(at)):
            return None
        eventful = bool(self._active) or self._event_until > at
        if pending.reason == "ambient" and (private or eventful):
            return None
        return self._describer.describe(pending, segment, self._buffer.sample_rate_hz)


@dataclass(slots=True)
class PendingClip:
    """A clip that is not cut yet, from `start` to `end`, seconds; it can be cut from `ready_at` on.

    `span` is the label it stands for and when that sounds, `score` the label's highest score.
    """

    reason: clip.Reason
    start: float
    end: float
    ready_at: float
    span: clip.LabelSpan | None = None
    score: float | None = None
    event: SoundEvent | None = None


class ClipDescriber:
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

    def describe(
        self, pending: PendingClip, segment: Segment, sample_rate_hz: int
    ) -> clip.ClipDraft:
        """The draft of a clip; `segment` is the part of it that the buffer still has."""
        captured_at, span = segment.captured_at, pending.span
        seconds = len(segment.samples) / sample_rate_hz
        analysis = segment.analysis(tuple(self.policies), seconds)
        if pending.event is not None:
            clip_id = pending.event.id
        else:
            name = f"{pending.reason}:{span.label if span else ''}"
            clip_id = event_id(self._namespace, self._source, name, captured_at)
        record = clip.ClipRecord(
            id=clip_id,
            path=Path(f"{clip_id}.flac"),
            source=self._source,
            captured_at=captured_at,
            seconds=seconds,
            reason=pending.reason,
            event=pending.event,
            labels=_inside(span, captured_at, seconds),
            bundle=self._bundle,
            top=_top(analysis),
            groups=order_members(self._groups, segment.slots, span),
        )
        if span is not None:
            on_threshold = self.policies[span.label].on_threshold
            record = replace(record, score=pending.score, on_threshold=on_threshold)
        return clip.ClipDraft(record, sample_rate_hz, segment.samples, analysis)


def _inside(
    span: clip.LabelSpan | None, captured_at: float, seconds: float
) -> tuple[clip.LabelSpan, ...]:
    """The part of a span that is in a clip, in seconds of the clip."""
    if span is None:
        return ()
    onset = max(0.0, span.onset - captured_at)
    offset = min(seconds, span.offset - captured_at)
    return (clip.LabelSpan(span.label, onset, offset),) if onset < offset else ()


def _top(analysis: clip.ClipAnalysis) -> tuple[clip.LabelScore, ...]:
    if not len(analysis.scores):
        return ()
    highest = analysis.scores.max(axis=0)
    first = np.argsort(-highest, kind="stable")[:_TOP_LABELS]
    return tuple(
        clip.LabelScore(analysis.labels[label], round(float(highest[label]), 4)) for label in first
    )


def order_members(
    groups: Sequence[LabelGroup], slots: Sequence[BufferSlot], span: clip.LabelSpan | None
) -> tuple[clip.GroupMembers, ...]:
    """The members of each group by their highest score; for the span's label, by that within the span.

    `slots` are those of a clip, with their `members` in the order of the groups. Empty without slots.
    """
    if not slots:
        return ()
    inside = [slot for slot in slots if span and span.onset <= slot.centre < span.offset] or slots
    own = "" if span is None else span.label
    ordered, start = [], 0
    for group in groups:
        end = start + len(group.members)
        heard = inside if group.label.slug == own else slots
        peaks = np.max([slot.members[start:end] for slot in heard], axis=0)
        order = np.argsort(-peaks, kind="stable").tolist()
        members = tuple(group.members[column] for column in order)
        ordered.append(clip.GroupMembers(group.label.slug, members))
        start = end
    return tuple(ordered)


@dataclass(slots=True)
class NearMiss:
    """A time in which a label's smoothed score is over its off threshold.

    `hit`: it reached the on threshold, so it is no miss.
    """

    label: str
    onset: float
    offset: float
    score: float = 0.0  # the highest, smoothed
    hit: bool = False


class NearMissFinder:
    """Smoothed scores, slot after slot -> near misses that ended.

    A near miss ends after `max_seconds` at the latest. A smoothed score belongs to the slot in the middle
    of the label's smoother, which is looked up in `buffer`.
    """

    def __init__(
        self,
        policies: Mapping[str, LabelPolicy],
        patch_hop_seconds: float,
        max_seconds: float,
        buffer: AudioBuffer,
    ) -> None:
        self._labels, self._buffer, self._max_seconds = tuple(policies), buffer, max_seconds
        self.adjust(policies)
        lengths = [p.smoothing_patches(patch_hop_seconds) for p in policies.values()]
        self._delays = [length // 2 for length in lengths]
        self._open: dict[int, NearMiss] = {}

    def adjust(self, policies: Mapping[str, LabelPolicy]) -> None:
        """Use other thresholds from the next slot on."""
        self._on = np.array([p.on_threshold for p in policies.values()], np.float32)
        self._off = np.array([p.off_threshold for p in policies.values()], np.float32)

    def push(self, smoothed: scores.Scores) -> list[NearMiss]:
        """Add the latest smoothed scores, float32 (K,)."""
        over = smoothed >= self._off
        if not self._open and not over.any():
            return []
        for label in np.flatnonzero(over).tolist():
            slot = self._buffer.slot_before(self._delays[label])
            if slot is None:
                continue
            miss = self._open.setdefault(
                label, NearMiss(self._labels[label], slot.onset, slot.offset)
            )
            miss.offset = slot.offset
            miss.score = max(miss.score, float(smoothed[label]))
            miss.hit = miss.hit or bool(smoothed[label] >= self._on[label])
        return self._end(over)

    def _end(self, over: NDArray[np.bool_]) -> list[NearMiss]:
        """Close those that fell below the off threshold or last too long."""
        ended = []
        for label, miss in list(self._open.items()):
            too_long = not miss.hit and miss.offset - miss.onset >= self._max_seconds
            if over[label] and not too_long:
                continue
            if not miss.hit:
                ended.append(miss)
            if over[label]:  # it goes on, but is not reported again
                self._open[label] = NearMiss(self._labels[label], 0.0, 0.0, hit=True)
            else:
                del self._open[label]
        return ended

    def finish(self) -> list[NearMiss]:
        """The audio ended: all open near misses end."""
        ended = [miss for miss in self._open.values() if not miss.hit]
        self._open.clear()
        return ended


class HourlyLimit:
    """At most `per_hour` clips: after one, none for its share of the hour, in sample time."""

    def __init__(self, per_hour: float) -> None:
        self._interval_seconds = _HOUR_SECONDS / per_hour if per_hour else math.inf
        self._last_at: float | None = None

    def allows(self, at: float) -> bool:
        """Whether a clip may be kept at that time, seconds; if so, it counts."""
        if not math.isfinite(self._interval_seconds):
            return False
        # the distance, so that a clock set back does not stop clips for long
        if self._last_at is not None and abs(at - self._last_at) < self._interval_seconds:
            return False
        self._last_at = at
        return True


class RandomMoments:
    """One random moment in each period of an hour / `per_hour`, in sample time."""

    def __init__(self, per_hour: float, random: Random) -> None:
        self._period_seconds = _HOUR_SECONDS / per_hour if per_hour else math.inf
        self._random = random
        self._period_begins = math.inf
        self._moment = math.inf

    def passed(self, at: float) -> bool:
        """Whether a moment has passed since the last call; `at` is in seconds."""
        if not math.isfinite(self._period_seconds):
            return False
        periods = (at - self._period_begins) / self._period_seconds
        if not -1.0 <= periods <= 1.0:  # at first, after a long pause, and when a clock was set
            self._begin_period(at)
        if at < self._moment:
            return False
        self._begin_period(self._period_begins + self._period_seconds)
        return True

    def _begin_period(self, at: float) -> None:
        self._period_begins = at
        self._moment = at + self._random.random() * self._period_seconds
