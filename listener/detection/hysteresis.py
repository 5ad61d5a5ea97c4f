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


# A label above its thresholds for a while: what becomes an event.


@dataclass(slots=True)
class LabelSegment:
    """A label above its thresholds, perhaps with gaps; becomes an event once it is long enough.

    `active` is false below off_threshold, for a gap that may still be bridged. `told_onset` is set where
    the clock has stepped since the onset was told.
    """

    onset: float
    offset: float
    active: bool = True
    announced: bool = False
    peak_score: float = 0.0
    score_sum: float = 0.0
    slots: int = 0
    level_dbfs: float = -math.inf
    told_onset: float | None = None

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return self.offset - self.onset

    @property
    def told_span(self) -> tuple[float, float]:
        """Onset and offset on the clock on which the onset was told."""
        if self.told_onset is None:
            return self.onset, self.offset
        return self.told_onset, self.told_onset + self.seconds

    def extend(self, offset: float, score: float, level_dbfs: float) -> None:
        """One more slot, up to `offset`."""
        self.offset = offset
        self.peak_score = max(self.peak_score, score)
        self.score_sum += score
        self.slots += 1
        self.level_dbfs = max(self.level_dbfs, level_dbfs)

    def shift(self, seconds: float) -> None:
        """The clock stepped by so much; what was told stays true."""
        if self.announced and self.told_onset is None:
            self.told_onset = self.onset
        self.onset += seconds
        self.offset += seconds


class _Hysteresis:
    """Smoothed rows of the labels that share a smoothing length -> begun and ended stretches."""

    def __init__(self, policies: Sequence[LabelPolicy]) -> None:
        self.adjust(policies, [False] * len(policies))
        self._open: dict[int, LabelSegment] = {}
        self._ended_at = [-np.inf] * len(policies)  # the offset of each label's last event

    def adjust(self, policies: Sequence[LabelPolicy], muted: Sequence[bool]) -> None:
        """These thresholds count from the next slot on; no score reaches those of a muted label."""
        self._policies = policies
        on = [policy.on_threshold for policy in policies]
        off = [policy.off_threshold for policy in policies]
        self._on = np.where(muted, np.inf, on).astype(np.float32)
        # as Python floats of float32 values, so that a score equal to the threshold is equal here
        self._off = np.where(muted, np.inf, off).astype(np.float32).tolist()

    def push(self, slot: PatchScores, smoothed: Scores) -> list[tuple[int, LabelSegment]]:
        """The stretches that became events in this slot or ended in it, by label."""
        above = smoothed >= self._on
        if not self._open and not above.any():  # nearly every slot of nearly every day
            return []
        changed = []
        for label in sorted(self._open.keys() | np.flatnonzero(above).tolist()):
            stretch = self._advance(label, slot, bool(above[label]), float(smoothed[label]))
            if stretch is not None and self._is_news(label, stretch, slot):
                changed.append((label, stretch))
        return changed

    def _advance(
        self, label: int, slot: PatchScores, above: bool, smoothed: float
    ) -> LabelSegment | None:
        stretch = self._open.get(label)
        if stretch is None:
            if self._is_refractory(label, slot.onset):
                return None
            stretch = self._open[label] = LabelSegment(slot.onset, slot.onset)
        elif stretch.active:
            stretch.active = smoothed >= self._off[label]
        else:
            stretch.active = above
        if stretch.active:
            stretch.extend(slot.offset, float(slot.scores[label]), slot.level_dbfs)
        return stretch

    def _is_refractory(self, label: int, onset: float) -> bool:
        # the distance, so that a clock that was set back does not make the label deaf
        since = abs(onset - self._ended_at[label])
        return since < self._policies[label].refractory_seconds - _ROUNDING_SECONDS

    def _is_news(self, label: int, stretch: LabelSegment, slot: PatchScores) -> bool:
        policy = self._policies[label]
        if stretch.active:
            return self._announces(policy, stretch)
        if slot.offset - stretch.offset <= policy.max_gap_seconds + _ROUNDING_SECONDS:
            return False
        self._close(label, stretch)
        return stretch.announced

    def _announces(self, policy: LabelPolicy, stretch: LabelSegment) -> bool:
        if stretch.announced:
            return False
        stretch.announced = stretch.seconds >= policy.min_duration_seconds - _ROUNDING_SECONDS
        return stretch.announced

    def _close(self, label: int, stretch: LabelSegment) -> None:
        del self._open[label]
        if stretch.announced:
            self._ended_at[label] = stretch.offset

    def shift(self, seconds: float) -> None:
        for stretch in self._open.values():
            stretch.shift(seconds)
        self._ended_at = [at + seconds for at in self._ended_at]

    def finish(self, ended_at: float) -> Iterable[tuple[int, LabelSegment, bool]]:
        """All that is open ends, what is active at `ended_at`: label, stretch, whether it is new."""
        for label, stretch in sorted(self._open.items()):
            if stretch.active:
                stretch.offset = ended_at
            new = self._announces(self._policies[label], stretch)
            self._close(label, stretch)
            if stretch.announced:
                yield label, stretch, new


class _LabelGroup:
    """The labels that share a smoothing length: their smoother, hysteresis and waiting slots.

    `columns` are theirs in the scores; None when they are all.
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
        moved = [
            replace(slot, onset=slot.onset + seconds, offset=slot.offset + seconds)
            for slot in self.waiting
        ]
        self.waiting = deque(moved)
        self.hysteresis.shift(seconds)


class EventDetector:
    """Scores of one source, slot after slot -> the events that begin and end.

    `labels` are the columns of the scores; `policies` has one entry for each. A begun event comes out
    with offset None, the ended one with the same id.
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
        self._groups = _group(policies, patch_hop_seconds)

    def adjust(self, policies: Mapping[str, LabelPolicy], muted: Collection[str] = ()) -> None:
        """Other thresholds from the next slot on; what is open stays open while it is over them.

        Of `policies`, one for each label, only the thresholds count. Events of `muted` labels end and
        none begin.
        """
        for group in self._groups:
            group.hysteresis.adjust(
                [policies[label] for label in group.labels],
                [label in muted for label in group.labels],
            )

    def push(self, row: PatchScores) -> list[SoundEvent]:
        """Take the scores of the next slot."""
        events = []
        for group in self._groups:
            columns = group.columns
            slot = row if columns is None else replace(row, scores=row.scores[columns])
            group.waiting.append(slot)
            smoothed = group.smoother.push(slot.scores)
            if smoothed is not None:
                events += self._advance(group, smoothed)
        return events

    def _advance(self, group: _LabelGroup, smoothed: Scores) -> list[SoundEvent]:
        self.smoothed[... if group.columns is None else group.columns] = smoothed
        slot = group.waiting.popleft()
        return [
            self._event(group, label, stretch, ended=not stretch.active)
            for label, stretch in group.hysteresis.push(slot, smoothed)
        ]

    def shift(self, seconds: float) -> None:
        """The clock stepped by so much between the last slot and the next one.

        An event whose onset was told stays on the clock before, so that its duration is right.
        """
        for group in self._groups:
            group.shift(seconds)

    def finish(self, ended_at: float, reason: str | None) -> list[SoundEvent]:
        """The stretch of audio ended: what is active ends there, for that reason.

        Afterwards the detector takes the next stretch; refractory times go on.
        """
        events = []
        for group in self._groups:
            for smoothed in group.smoother.finish():
                events += self._advance(group, smoothed)
            for label, stretch, new in group.hysteresis.finish(ended_at):
                if new:
                    events.append(self._event(group, label, stretch, ended=False))
                ended = self._event(group, label, stretch, ended=True)
                events.append(replace(ended, reason=reason) if stretch.active else ended)
        self.smoothed[:] = 0.0
        return events

    def _event(
        self, group: _LabelGroup, label: int, stretch: LabelSegment, *, ended: bool
    ) -> SoundEvent:
        name = group.labels[label]
        onset, offset = stretch.told_span
        return SoundEvent(
            id=event_id(self._namespace, self._source, name, onset),
            source=self._source,
            label=name,
            onset=onset,
            offset=offset if ended else None,
            peak_score=stretch.peak_score,
            mean_score=stretch.score_sum / stretch.slots,
            level_dbfs=stretch.level_dbfs,
            bundle=self._bundle,
        )


def _group(policies: Mapping[str, LabelPolicy], patch_hop_seconds: float) -> list[_LabelGroup]:
    labels = list(policies)
    columns: dict[int, list[int]] = defaultdict(list)
    for column, policy in enumerate(policies.values()):
        columns[policy.smoothing_patches(patch_hop_seconds)].append(column)
    return [
        _LabelGroup(
            {labels[column]: policies[labels[column]] for column in members},
            length,
            None if len(columns) == 1 else np.array(members),
        )
        for length, members in sorted(columns.items())
    ]


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
