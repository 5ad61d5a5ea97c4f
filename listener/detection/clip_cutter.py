"""Cuts clips out of one source's sound: events, near misses, ambient seconds, and what was asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from listener.detection.audio import AudioChunk
from listener.detection.clip import Cutting, LabelSpan
from listener.detection.clip_maker import ClipMaker, WantedClip
from listener.detection.event import SoundEvent
from listener.detection.labels import LabelGroup
from listener.detection.near_misses import NearMiss, NearMissFinder
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.detection.recent import Recent, Stretch
from listener.detection.sampling import Allowance, RandomMoments
from listener.detection.scores import PatchScores, Scores

_AMBIENT_SECONDS = 5.0
_SPARE_SLOTS = 4  # of history: so much later than it could a clip may be cut


@dataclass(frozen=True, slots=True)
class CuttingPlan:
    """What is kept: `labels` are those of which it may be, `max_seconds` is of a clip in all."""

    labels: frozenset[str]
    pre_seconds: float = 2.0
    post_seconds: float = 2.0
    max_seconds: float = 30.0
    near_misses_per_hour: float = 4.0
    ambient_per_hour: float = 1.0


class ClipCutter:
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
        plan: CuttingPlan,
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
        self._recent = Recent(params.sample_rate_hz, plan.max_seconds + late_seconds)
        self._near_misses = NearMissFinder(policies, hop_seconds, plan.max_seconds, self._recent)
        self._maker = ClipMaker(source, policies, bundle, namespace, groups)
        self._allowance = Allowance(plan.near_misses_per_hour)
        self._moments = RandomMoments(plan.ambient_per_hour, random)
        self._wanted: list[WantedClip] = []
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
    ) -> list[Cutting]:
        """Take the next slot, the latest smoothed scores, and the events that began or ended with it."""
        self._recent.add(row, private=private)
        self._note_events(events)
        for miss in self._near_misses.push(smoothed):
            self._want_near_miss(miss)
        if self._moments.passed(row.offset):
            end = row.onset + _AMBIENT_SECONDS
            ready_at = end + self._delay_seconds
            self._wanted.append(WantedClip("ambient", row.onset, end, ready_at))
        return self._cut_ready(row.offset)

    def finish(self, events: Iterable[SoundEvent]) -> list[Cutting]:
        """The stretch of audio ended, with these events: what is wanted is cut as far as it is there."""
        self._note_events(events)
        for miss in self._near_misses.finish():
            self._want_near_miss(miss)
        cuttings = self._cut_ready(math.inf)
        self._recent.clear()
        return cuttings

    def snapshot(self, seconds: float) -> Cutting | None:
        """The last seconds, as many as a clip may have; None if nothing is there.

        A person heard in them what the station missed.
        """
        end = self._recent.ended_at
        start = end - min(seconds, self._plan.max_seconds)
        return self._cut(WantedClip("missed", start, end, end))

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
            WantedClip(
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
        self._wanted.append(WantedClip("near_miss", start, end, end, span, miss.score))

    def _cut_ready(self, until: float) -> list[Cutting]:
        ready = [wanted for wanted in self._wanted if wanted.ready_at <= until]
        self._wanted = [wanted for wanted in self._wanted if wanted.ready_at > until]
        cuttings = [self._cut(wanted) for wanted in ready]
        return [cutting for cutting in cuttings if cutting is not None]

    def _cut(self, wanted: WantedClip) -> Cutting | None:
        stretch = self._recent.cut(wanted.start, wanted.end)
        if stretch is None or not self._may_keep(wanted, stretch):
            return None
        return self._maker.make(wanted, stretch, self._recent.sample_rate_hz)

    def _may_keep(self, wanted: WantedClip, stretch: Stretch) -> bool:
        if wanted.reason == "near_miss":
            return not stretch.private and self._allowance.take(stretch.captured_at)
        if wanted.reason == "ambient":
            eventful = bool(self._active) or self._event_until > stretch.captured_at
            return not stretch.private and not eventful
        return True
