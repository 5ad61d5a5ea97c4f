"""Cuts clips out of one source's sound: events, near misses, ambient seconds, and what was asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from listener.clips.audio_buffer import AudioBuffer, BufferSlot, Segment
from listener.clips.near_misses import NearMiss, NearMissFinder
from listener.detection.audio import AudioChunk
from listener.detection.clip import (
    ClipAnalysis,
    ClipDraft,
    ClipRecord,
    GroupMembers,
    LabelScore,
    LabelSpan,
    Reason,
)
from listener.detection.event import SoundEvent, event_id
from listener.detection.labels import LabelGroup
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.detection.scores import PatchScores, Scores

_TOP_LABELS = 3
_HOUR_SECONDS = 3600.0
_AMBIENT_SECONDS = 5.0
_SPARE_SLOTS = 4  # of history: so much later than it could a clip may be cut


# Which member of a group was heard: they are put in the order of their scores.


Peaks = NDArray[np.float16]


def order_members(
    groups: Sequence[LabelGroup], slots: Sequence[BufferSlot], span: LabelSpan | None
) -> tuple[GroupMembers, ...]:
    """The members of each group by their highest score; those of the span's label by that within it.

    `slots` are those of a clip, their `members` in the order of the groups; without slots nobody can say.
    """
    if not slots:
        return ()
    inside = [slot for slot in slots if span and span.onset <= slot.centre < span.offset] or slots
    own = "" if span is None else span.label
    found, start = [], 0
    for group in groups:
        heard = inside if group.label.slug == own else slots
        end = start + len(group.members)
        found.append(_by_score(group, _peaks(heard)[start:end]))
        start = end
    return tuple(found)


def _peaks(slots: Sequence[BufferSlot]) -> Peaks:
    peaks: Peaks = np.max([slot.members for slot in slots], axis=0)
    return peaks


def _by_score(group: LabelGroup, peaks: Peaks) -> GroupMembers:
    order = np.argsort(-peaks, kind="stable").tolist()
    return GroupMembers(group.label.slug, tuple(group.members[place] for place in order))


# From a stretch of sound that is wanted to a cutting with all that is known of it.


@dataclass(slots=True)
class PendingClip:
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

    def make(self, wanted: PendingClip, stretch: Segment, sample_rate_hz: int) -> ClipDraft:
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
        return ClipDraft(record, sample_rate_hz, stretch.samples, analysis)

    def _id(self, wanted: PendingClip, captured_at: float) -> str:
        if wanted.event is not None:
            return wanted.event.id
        label = wanted.span.label if wanted.span else ""
        return event_id(self._namespace, self._source, f"{wanted.reason}:{label}", captured_at)


def _labels(wanted: PendingClip, captured_at: float, seconds: float) -> tuple[LabelSpan, ...]:
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


# How often clips are taken that no event asks for; counted in the time of samples.


class HourlyLimit:
    """At most so many an hour: one, and then none for its share of the hour."""

    def __init__(self, per_hour: float) -> None:
        self._rest_seconds = _HOUR_SECONDS / per_hour if per_hour else math.inf
        self._taken_at: float | None = None

    def take(self, at: float) -> bool:
        """Whether one may be taken at that time, seconds; if so, it is."""
        if not math.isfinite(self._rest_seconds):
            return False
        # the distance, so that a clock that was set back does not end it
        if self._taken_at is not None and abs(at - self._taken_at) < self._rest_seconds:
            return False
        self._taken_at = at
        return True


class RandomMoments:
    """One moment at random in each period of an hour / `per_hour`."""

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


@dataclass(frozen=True, slots=True)
class ExtractionPlan:
    """What is kept: `labels` are those of which it may be, `max_seconds` is of a clip in all."""

    labels: frozenset[str]
    pre_seconds: float = 2.0
    post_seconds: float = 2.0
    max_seconds: float = 30.0
    near_misses_per_hour: float = 4.0
    ambient_per_hour: float = 1.0


class ClipExtractor:
    """Chunks, scores and events of one source -> cuttings, each once its post-roll has come.

    No clip spans a hole. Of what is longer than a clip may be the first part is kept; its event has no
    offset then. Near misses and ambient clips are not kept where people were heard (`private`), ambient
    ones not where there was an event either.
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
        # an event is known so much later than its slots
        self._delay_seconds = max(delays, default=0) * hop_seconds
        late_seconds = self._delay_seconds + params.patch_seconds + _SPARE_SLOTS * hop_seconds
        self._recent = AudioBuffer(params.sample_rate_hz, plan.max_seconds + late_seconds)
        self._near_misses = NearMissFinder(policies, hop_seconds, plan.max_seconds, self._recent)
        self._maker = ClipDescriber(source, policies, bundle, namespace, groups)
        self._allowance = HourlyLimit(plan.near_misses_per_hour)
        self._moments = RandomMoments(plan.ambient_per_hour, random)
        self._wanted: list[PendingClip] = []
        self._active: set[str] = set()  # ids of events, whatever their label
        self._event_until = -math.inf

    def keeps(self, event: SoundEvent) -> bool:
        """Whether there is a clip of an event."""
        return event.label in self._plan.labels

    def adjust(self, policies: Mapping[str, LabelPolicy]) -> None:
        """Other thresholds of the same labels, from the next slot on."""
        self._near_misses.adjust(policies)
        self._maker.policies = policies

    def hear(self, chunk: AudioChunk) -> None:
        """Take the next samples, before what the model makes of them; `finish` comes before a hole."""
        self._recent.hear(chunk)

    def push(
        self, row: PatchScores, smoothed: Scores, events: Iterable[SoundEvent], *, private: bool
    ) -> list[ClipDraft]:
        """Take the next slot, the latest smoothed scores, and the events that began or ended with it."""
        self._recent.add(row, private=private)
        self._note_events(events)
        for miss in self._near_misses.push(smoothed):
            self._want_near_miss(miss)
        if self._moments.passed(row.offset):
            end = row.onset + _AMBIENT_SECONDS
            ready_at = end + self._delay_seconds
            self._wanted.append(PendingClip("ambient", row.onset, end, ready_at))
        return self._cut_ready(row.offset)

    def finish(self, events: Iterable[SoundEvent]) -> list[ClipDraft]:
        """The stretch of audio ended, with these events: what is wanted is cut as far as it is there."""
        self._note_events(events)
        for miss in self._near_misses.finish():
            self._want_near_miss(miss)
        cuttings = self._cut_ready(math.inf)
        self._recent.clear()
        return cuttings

    def snapshot(self, seconds: float) -> ClipDraft | None:
        """The last seconds, as many as a clip may have; None if nothing is there.

        A person heard in them what the station missed.
        """
        end = self._recent.ended_at
        start = end - min(seconds, self._plan.max_seconds)
        return self._cut(PendingClip("missed", start, end, end))

    def _note_events(self, events: Iterable[SoundEvent]) -> None:
        for event in events:
            if event.offset is None:
                self._active.add(event.id)
                self._want_event(event)
            else:
                self._active.discard(event.id)
                self._event_until = max(self._event_until, event.offset)
                self._end_event(event, event.offset)

    def _want_event(self, event: SoundEvent) -> None:
        if not self.keeps(event):
            return
        start, longest_end = self._bounds(event.onset)
        span = LabelSpan(event.label, event.onset, longest_end)
        self._wanted.append(
            PendingClip(
                "event", start, longest_end, longest_end, span, float(event.peak_score), event
            )
        )

    def _bounds(self, onset: float) -> tuple[float, float]:
        """Where a clip begins, and where at most it ends; what is gone already is not waited for."""
        start = max(onset - self._plan.pre_seconds, self._recent.began_at)
        return start, start + self._plan.max_seconds

    def _end_event(self, event: SoundEvent, offset: float) -> None:
        for wanted in self._wanted:
            if wanted.event is not None and wanted.event.id == event.id:
                wanted.event, wanted.score = event, float(event.peak_score)
                wanted.end = min(wanted.end, offset + self._plan.post_seconds)
                wanted.ready_at = wanted.end
                wanted.span = LabelSpan(event.label, event.onset, offset)

    def _want_near_miss(self, miss: NearMiss) -> None:
        if miss.label not in self._plan.labels:
            return
        start, longest_end = self._bounds(miss.onset)
        end = min(miss.offset + self._plan.post_seconds, longest_end)
        span = LabelSpan(miss.label, miss.onset, miss.offset)
        self._wanted.append(PendingClip("near_miss", start, end, end, span, miss.score))

    def _cut_ready(self, until: float) -> list[ClipDraft]:
        ready = [wanted for wanted in self._wanted if wanted.ready_at <= until]
        self._wanted = [wanted for wanted in self._wanted if wanted.ready_at > until]
        cuttings = [self._cut(wanted) for wanted in ready]
        return [cutting for cutting in cuttings if cutting is not None]

    def _cut(self, wanted: PendingClip) -> ClipDraft | None:
        stretch = self._recent.cut(wanted.start, wanted.end)
        if stretch is None or not self._may_keep(wanted, stretch):
            return None
        return self._maker.make(wanted, stretch, self._recent.sample_rate_hz)

    def _may_keep(self, wanted: PendingClip, stretch: Segment) -> bool:
        if wanted.reason == "near_miss":
            return not stretch.private and self._allowance.take(stretch.captured_at)
        if wanted.reason == "ambient":
            eventful = bool(self._active) or self._event_until > stretch.captured_at
            return not stretch.private and not eventful
        return True
