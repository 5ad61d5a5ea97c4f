"""From scores to events: one implementation, live and offline."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from listener.detection.event import SoundEvent, event_id
from listener.detection.policy import LabelPolicy
from listener.detection.scores import PatchScores, Scores, ScoreSmoother

_ROUNDING_SECONDS = 1e-6  # times are sums of float seconds; a slot is never so short


class EventDetector:
    """Scores of one source, slot by slot -> the events that begin and end.

    `labels` are the columns of the scores; `policies` has one entry for each. An event comes out twice:
    with offset None when it begins, and with the same id when it ends.
    """

    def __init__(
        self,
        source: str,
        policies: Mapping[str, LabelPolicy],
        patch_hop_seconds: float,
        *,
        bundle: str = "",
        namespace: str = "",
    ) -> None:
        self.labels = tuple(policies)
        self.smoothed = np.zeros(len(self.labels), np.float32)  # the latest, (K,)
        self._source, self._bundle, self._namespace = source, bundle, namespace
        self._groups = _group_by_smoothing(policies, patch_hop_seconds)

    def adjust(self, policies: Mapping[str, LabelPolicy], muted: Collection[str] = ()) -> None:
        """Other thresholds from the next slot on; an open event goes on while it is over them.

        Of `policies`, one for each label, only the thresholds count. Events of `muted` labels end and
        none begin.
        """
        for group in self._groups:
            group.hysteresis.adjust(
                [policies[label] for label in group.labels],
                [label in muted for label in group.labels],
            )

    def push(self, row: PatchScores) -> list[SoundEvent]:
        """Add the scores of the next slot."""
        events = []
        for group in self._groups:
            columns = group.columns
            slot = row if columns is None else replace(row, scores=row.scores[columns])
            group.waiting.append(slot)
            smoothed = group.smoother.push(slot.scores)
            if smoothed is not None:
                events += self._advance(group, smoothed)
        return events

    def _advance(self, group: _SmoothingGroup, smoothed: Scores) -> list[SoundEvent]:
        self.smoothed[... if group.columns is None else group.columns] = smoothed
        slot = group.waiting.popleft()
        return [
            self._event(group, label, segment, ended=not segment.active)
            for label, segment in group.hysteresis.push(slot, smoothed)
        ]

    def shift(self, seconds: float) -> None:
        """The clock stepped by `seconds` between the last slot and the next one.

        An event that has come out stays on the clock before, so that its duration is right.
        """
        for group in self._groups:
            group.shift(seconds)

    def finish(self, ended_at: float, reason: str | None) -> list[SoundEvent]:
        """The audio ended, perhaps at a hole: active events end there, for that reason.

        Afterwards the detector is ready for other audio; refractory times go on.
        """
        events = []
        for group in self._groups:
            for smoothed in group.smoother.finish():
                events += self._advance(group, smoothed)
            for label, segment, new in group.hysteresis.finish(ended_at):
                if new:
                    events.append(self._event(group, label, segment, ended=False))
                ended = self._event(group, label, segment, ended=True)
                events.append(replace(ended, reason=reason) if segment.active else ended)
        self.smoothed[:] = 0.0
        return events

    def _event(
        self, group: _SmoothingGroup, label: int, segment: _Segment, *, ended: bool
    ) -> SoundEvent:
        name = group.labels[label]
        onset, offset = segment.published_span
        return SoundEvent(
            id=event_id(self._namespace, self._source, name, onset),
            source=self._source,
            label=name,
            onset=onset,
            offset=offset if ended else None,
            peak_score=segment.peak_score,
            mean_score=segment.score_sum / segment.slots,
            level_dbfs=segment.level_dbfs,
            bundle=self._bundle,
        )


def detect_events(
    scores: NDArray[np.float32],
    boundaries: NDArray[np.float64],
    policies: Mapping[str, LabelPolicy],
    patch_hop_seconds: float,
    *,
    source: str = "",
    bundle: str = "",
) -> list[SoundEvent]:
    """The ended events of a table of scores (T, K) with T + 1 slot boundaries, by onset and label.

    This is the live detector fed row by row. Levels are unknown here and given as -inf.
    """
    detector = EventDetector(source, policies, patch_hop_seconds, bundle=bundle)
    events: list[SoundEvent] = []
    for row, onset, offset in zip(scores, boundaries[:-1], boundaries[1:], strict=True):
        events += detector.push(
            PatchScores(source, float(onset), float(offset), row, level_dbfs=-np.inf)
        )
    events += detector.finish(float(boundaries[-1]), "end_of_stream")
    ended = [event for event in events if event.offset is not None]
    return sorted(ended, key=lambda event: (event.onset, event.label))


@dataclass(slots=True)
class _Segment:
    """A label above its thresholds, perhaps with gaps; an event once it is long enough.

    `active` is false under off_threshold, in a gap that may still be bridged. `published_onset` is set if
    the clock has stepped since the event came out.
    """

    onset: float
    offset: float
    active: bool = True
    is_event: bool = False
    peak_score: float = 0.0
    score_sum: float = 0.0
    slots: int = 0
    level_dbfs: float = -math.inf
    published_onset: float | None = None

    @property
    def published_span(self) -> tuple[float, float]:
        """Onset and offset on the clock of the published onset."""
        if self.published_onset is None:
            return self.onset, self.offset
        return self.published_onset, self.published_onset + (self.offset - self.onset)

    def extend(self, offset: float, score: float, level_dbfs: float) -> None:
        """Add a slot that ends at `offset`."""
        self.offset = offset
        self.peak_score = max(self.peak_score, score)
        self.score_sum += score
        self.slots += 1
        self.level_dbfs = max(self.level_dbfs, level_dbfs)

    def becomes_event(self, min_duration_seconds: float) -> bool:
        """Whether it is an event now and was none before."""
        if self.is_event:
            return False
        self.is_event = self.offset - self.onset >= min_duration_seconds - _ROUNDING_SECONDS
        return self.is_event

    def shift(self, seconds: float) -> None:
        """The clock stepped by `seconds`; what was published stays true."""
        if self.is_event and self.published_onset is None:
            self.published_onset = self.onset
        self.onset += seconds
        self.offset += seconds


class _Hysteresis:
    """Smoothed rows of the labels that share a smoothing length -> begun and ended segments."""

    def __init__(self, policies: Sequence[LabelPolicy]) -> None:
        self.adjust(policies, [False] * len(policies))
        self._open: dict[int, _Segment] = {}
        self._ended_at = [-np.inf] * len(policies)  # the offset of each label's last event

    def adjust(self, policies: Sequence[LabelPolicy], muted: Sequence[bool]) -> None:
        """Use these thresholds from the next slot on; no score reaches those of a muted label."""
        self._policies = policies
        on = [policy.on_threshold for policy in policies]
        off = [policy.off_threshold for policy in policies]
        self._on = np.where(muted, np.inf, on).astype(np.float32)
        # as Python floats of float32 values, so that a score equal to the threshold is equal here
        self._off = np.where(muted, np.inf, off).astype(np.float32).tolist()

    def push(self, slot: PatchScores, smoothed: Scores) -> list[tuple[int, _Segment]]:
        """The segments that became events in this slot or ended in it, by label."""
        above = smoothed >= self._on
        if not self._open and not above.any():  # nearly every slot of nearly every day
            return []
        changed = []
        for label in sorted(self._open.keys() | np.flatnonzero(above).tolist()):
            segment = self._advance(label, slot, bool(above[label]), float(smoothed[label]))
            if segment is not None:
                changed.append((label, segment))
        return changed

    def _advance(
        self, label: int, slot: PatchScores, above: bool, smoothed: float
    ) -> _Segment | None:
        """The label's segment if it has become an event in this slot, or was one and has ended."""
        policy, segment = self._policies[label], self._open.get(label)
        if segment is None:
            # the distance, so that a clock that was set back does not make the detector miss the label
            seconds = abs(slot.onset - self._ended_at[label])
            if seconds < policy.refractory_seconds - _ROUNDING_SECONDS:
                return None
            segment = self._open[label] = _Segment(slot.onset, slot.onset)
        elif segment.active:
            segment.active = smoothed >= self._off[label]
        else:
            segment.active = above
        if segment.active:
            segment.extend(slot.offset, float(slot.scores[label]), slot.level_dbfs)
            return segment if segment.becomes_event(policy.min_duration_seconds) else None
        if slot.offset - segment.offset <= policy.max_gap_seconds + _ROUNDING_SECONDS:
            return None
        self._close(label, segment)
        return segment if segment.is_event else None

    def _close(self, label: int, segment: _Segment) -> None:
        del self._open[label]
        if segment.is_event:
            self._ended_at[label] = segment.offset

    def shift(self, seconds: float) -> None:
        for segment in self._open.values():
            segment.shift(seconds)
        self._ended_at = [at + seconds for at in self._ended_at]

    def finish(self, ended_at: float) -> Iterable[tuple[int, _Segment, bool]]:
        """Close all segments, active ones at `ended_at`: the events' labels, segments, and whether new."""
        for label, segment in sorted(self._open.items()):
            if segment.active:
                segment.offset = ended_at
            new = segment.becomes_event(self._policies[label].min_duration_seconds)
            self._close(label, segment)
            if segment.is_event:
                yield label, segment, new


class _SmoothingGroup:
    """The labels that share a smoothing length: their smoother, hysteresis and waiting slots.

    `columns` are theirs in the scores, None if they are all.
    """

    def __init__(
        self,
        policies: Mapping[str, LabelPolicy],
        smoothing_patches: int,
        columns: NDArray[np.intp] | None,
    ) -> None:
        self.labels = tuple(policies)
        self.columns = columns
        self.smoother = ScoreSmoother(smoothing_patches, len(policies))
        self.hysteresis = _Hysteresis(list(policies.values()))
        self.waiting: deque[PatchScores] = deque()

    def shift(self, seconds: float) -> None:
        self.waiting = deque(
            replace(slot, onset=slot.onset + seconds, offset=slot.offset + seconds)
            for slot in self.waiting
        )
        self.hysteresis.shift(seconds)


def _group_by_smoothing(
    policies: Mapping[str, LabelPolicy], patch_hop_seconds: float
) -> list[_SmoothingGroup]:
    labels = list(policies)
    columns: dict[int, list[int]] = defaultdict(list)
    for column, policy in enumerate(policies.values()):
        columns[policy.smoothing_patches(patch_hop_seconds)].append(column)
    return [
        _SmoothingGroup(
            {labels[column]: policies[labels[column]] for column in members},
            length,
            None if len(columns) == 1 else np.array(members),
        )
        for length, members in sorted(columns.items())
    ]
